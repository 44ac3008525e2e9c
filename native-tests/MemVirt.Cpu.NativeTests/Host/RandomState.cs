using Iced.Intel;
using MemVirt.Cpu.FloatingPoint.Arithmetic;

namespace MemVirt.Cpu.NativeTests.Host;

/// <summary>Random states of the x87 unit and of MXCSR, as FXSAVE lays them out.</summary>
internal static unsafe class RandomState
{
    // C0, C2 and C3, and C1, above the control word.
    private const uint Conditions = 0x4500_0000;
    private const uint C1 = 0x0200_0000;
    private const int RegistersOffset = 32;
    private const int Registers = 8;

    /// <summary>What the makers' manuals do not agree on in control and status word: of FCOMI, Intel's says that C1 is cleared.</summary>
    public static uint Open(Mnemonic mnemonic, bool isConditionOpen)
        => (isConditionOpen ? Conditions : 0) | (mnemonic is Mnemonic.Fcomi or Mnemonic.Fcomip or Mnemonic.Fucomi or Mnemonic.Fucomip ? C1 : 0);

    /// <summary>Fills all but the vectors.</summary>
    public static void Fill(Random random, byte* area)
    {
        // An exception that is pending would not be the instruction's; of SSE, one that is not masked would end this process.
        ushort masks = random.Next(4) != 0 ? (ushort)0x3F : (ushort)random.Next(0x40);
        ushort precision = random.Next(3) switch { 0 => 0, 1 => 0x200, _ => 0x300 };
        *(ushort*)area = (ushort)(0x40 | masks | precision | (random.Next(4) << 10));
        *(ushort*)(area + 2) = (ushort)((random.Next(0x10000) & 0x7F00) | (random.Next(0x40) & masks));
        area[4] = random.Next(4) != 0 ? byte.MaxValue : random.Next(2) == 0 ? (byte)random.Next(256) : (byte)0x7F;
        for (int i = 0; i < Registers; i++)
        {
            *(Extended*)(area + RegistersOffset + (i * 16)) = Number(random);
        }

        *(uint*)(area + 24) = MxcsrOf(random);
    }

    /// <summary>What differs after an instruction, or null.</summary>
    public static string? Difference(Processor processor, byte* before, byte* after, uint open)
    {
        byte* ours = stackalloc byte[512];
        processor.FloatingPoint.Save(ours, is64: false);
        *(uint*)(ours + 24) = processor.Mxcsr;
        bool isEqual = ((*(uint*)ours ^ *(uint*)after) & ~open) == 0 && ours[4] == after[4] && *(uint*)(ours + 24) == *(uint*)(after + 24);
        for (int i = 0; i < Registers; i++)
        {
            isEqual &= *(Extended*)(ours + RegistersOffset + (i * 16)) == *(Extended*)(after + RegistersOffset + (i * 16));
        }

        return isEqual ? null : $"{Text(ours)}\n   host {Text(after)}\n before {Text(before)}";
    }

    private static uint MxcsrOf(Random random)
    {
        const uint masks = 0x1F80;
        const uint zeros = 0x8040;
        uint flags = random.Next(2) == 0 ? (uint)random.Next(0x40) : 0;
        return masks | flags | ((uint)random.Next(4) << 13) | (random.Next(4) == 0 ? (uint)random.Next(0x10000) & zeros : 0);
    }

    private static Extended Number(Random random)
    {
        ulong significand = random.Next(4) switch
        {
            0 => 1UL << 63,
            1 => (ulong)random.NextInt64() | (1UL << 63),
            2 => (1UL << 63) | (1UL << random.Next(64)) | (1UL << random.Next(64)),
            _ => ulong.MaxValue << random.Next(63),
        };
        int exponent = random.Next(12) switch
        {
            0 => 0x3FFF + random.Next(-70, 70),
            1 => random.Next(0x8000),
            2 => random.Next(70),
            3 => 0x7FFE - random.Next(70),
            4 => 0x3FFF - random.Next(16380, 16384),
            5 => 0x3FFF + (random.Next(2) == 0 ? -1 : 1) * random.Next(120, 160),
            6 => 0x3FFF + (random.Next(2) == 0 ? -1 : 1) * random.Next(1015, 1085),
            _ => 0x3FFF + random.Next(-3, 4),
        };
        int sign = random.Next(2) << 15;
        return random.Next(24) switch
        {
            0 => new Extended(0, (ushort)sign),
            1 => new Extended(1UL << 63, (ushort)(sign | 0x7FFF)),
            2 => new Extended(significand | (3UL << 62), (ushort)(sign | 0x7FFF)),
            3 => new Extended((significand >> 2) | (1UL << 63) | 1, (ushort)(sign | 0x7FFF)),
            4 => new Extended(significand >> random.Next(64), (ushort)sign),
            5 => new Extended((ulong)random.NextInt64(), (ushort)random.Next(0x10000)),
            _ => new Extended(significand, (ushort)(sign | exponent)),
        };
    }

    private static string Text(byte* area)
    {
        var text = new List<string> { FormattableString.Invariant($"cw {*(ushort*)area:x} sw {*(ushort*)(area + 2):x} tags {area[4]:x} mxcsr {*(uint*)(area + 24):x}") };
        for (int i = 0; i < Registers; i++)
        {
            var value = *(Extended*)(area + RegistersOffset + (i * 16));
            text.Add(FormattableString.Invariant($"{value.SignAndExponent:x4}:{value.Significand:x16}"));
        }

        return string.Join(' ', text);
    }
}
