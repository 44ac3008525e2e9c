using Iced.Intel;

namespace MemVirt.Cpu.NativeTests.Host;

/// <summary>Random user-level instructions: of registers but RSP, of memory at [RSI] and a small displacement, of immediates.</summary>
internal static class RandomInstruction
{
    private static readonly HashSet<Mnemonic> NotTried =
    [
        Mnemonic.Rcpss, Mnemonic.Rcpps, Mnemonic.Rsqrtss, Mnemonic.Rsqrtps, // approximations
        Mnemonic.Fnstenv, Mnemonic.Fldenv, Mnemonic.Fnsave, Mnemonic.Frstor, // of addresses that makers keep in ways of their own
        Mnemonic.Fsin, Mnemonic.Fcos, Mnemonic.Fsincos, Mnemonic.Fptan, Mnemonic.Fpatan, Mnemonic.F2xm1, Mnemonic.Fyl2x, Mnemonic.Fyl2xp1, // not there
    ];

    // The first bytes of the instructions with a ModRM byte, and how long their immediates may be.
    private static readonly byte[] OneByte =
    [
        .. Enumerable.Range(0, 8).SelectMany(row => Enumerable.Range(0, 6).Select(column => (byte)((row * 8) + column))),
        0x63, 0x69, 0x6B, 0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8B, 0x8D, 0x90, 0x91, 0x92, 0x93, 0x95, 0x97, 0x98, 0x99,
        0x9E, 0x9F, 0xA8, 0xA9, 0xB0, 0xB1, 0xB3, 0xB8, 0xB9, 0xBA, 0xC0, 0xC1, 0xC6, 0xC7, 0xD0, 0xD1, 0xD2, 0xD3, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFE, 0xFF,
    ];

    private static readonly byte[] TwoByte =
    [
        .. Enumerable.Range(0x10, 8).Select(code => (byte)code), 0x28, 0x29, 0x2C, 0x2D, 0x2E, 0x2F,
        .. Enumerable.Range(0x40, 16).Select(code => (byte)code), .. Enumerable.Range(0x50, 0x20).Select(code => (byte)code),
        0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x7C, 0x7D, 0x7E, 0x7F, .. Enumerable.Range(0x90, 16).Select(code => (byte)code),
        0xA3, 0xA4, 0xA5, 0xAB, 0xAC, 0xAD, 0xAF, 0xB0, 0xB1, 0xB3, 0xB6, 0xB7, 0xB8, 0xBA, 0xBB, 0xBC, 0xBD, 0xBE, 0xBF, 0xC0, 0xC1, 0xC2, 0xC4, 0xC5, 0xC6,
        0xC7, .. Enumerable.Range(0xC8, 8).Select(code => (byte)code), .. Enumerable.Range(0xD0, 0x2F).Select(code => (byte)code), 0x2A,
    ];

    private static readonly byte[] Buffer = new byte[16];

    /// <summary>An instruction and its bytes.</summary>
    public static Instruction Next(Random random, byte[] bytes)
    {
        while (true)
        {
            random.NextBytes(bytes);
            int at = 0;
            switch (random.Next(5))
            {
                case 0:
                    bytes[at++] = 0x66;
                    break;
                case 1:
                    bytes[at++] = random.Next(2) == 0 ? (byte)0xF2 : (byte)0xF3;
                    break;
            }

            if (random.Next(2) == 0)
            {
                bytes[at++] = (byte)(0x40 | random.Next(16));
            }

            int map = random.Next(5);
            if (map == 0)
            {
                bytes[at++] = (byte)(0xD8 | random.Next(8));
            }
            else if (map <= 2)
            {
                bytes[at++] = OneByte[random.Next(OneByte.Length)];
            }
            else
            {
                bytes[at++] = 0x0F;
                bytes[at++] = TwoByte[random.Next(TwoByte.Length)];
            }

            // A register, or [rsi], or [rsi+disp8].
            int mode = random.Next(3) switch { 0 => 0x06, 1 => 0x46, _ => 0xC0 | random.Next(8) };
            bytes[at] = (byte)(mode | (random.Next(8) << 3));
            bytes[at + 1] = (mode & 0xC0) == 0x40 ? (byte)(random.Next(3) * 8) : bytes[at + 1];
            bytes.CopyTo(Buffer, 0);
            Decoder decoder = Decoder.Create(64, Buffer, 0x10_0000);
            Instruction instruction = decoder.Decode();
            if (IsSuitable(in instruction))
            {
                return instruction;
            }
        }
    }

    /// <summary>Whether it is a comparison of x87.</summary>
    public static bool IsComparison(Mnemonic mnemonic)
        => mnemonic is Mnemonic.Fcom or Mnemonic.Fcomp or Mnemonic.Fcompp or Mnemonic.Fucom or Mnemonic.Fucomp or Mnemonic.Fucompp or Mnemonic.Ficom
            or Mnemonic.Ficomp or Mnemonic.Fcomi or Mnemonic.Fcomip or Mnemonic.Fucomi or Mnemonic.Fucomip or Mnemonic.Ftst;

    /// <summary>A general operand: often one at a boundary.</summary>
    public static ulong Operand(Random random) => random.Next(4) switch
    {
        0 => (ulong)random.NextInt64(long.MinValue, long.MaxValue),
        1 => (ulong)random.Next(-3, 4),
        2 => (1UL << random.Next(64)) + (ulong)random.Next(-1, 2),
        _ => (ulong)random.Next() & 0xFF,
    };

    /// <summary>Half of a vector: integers, floats and doubles, special ones among them.</summary>
    public static ulong VectorOperand(Random random)
    {
        double value = random.Next(10) switch
        {
            0 => 0, 1 => -0.0, 2 => double.PositiveInfinity, 3 => double.NaN, 4 => random.Next(-5, 6), 5 => 1e300 * random.NextDouble(),
            6 => double.Epsilon * random.Next(9), 7 => int.MaxValue + random.NextDouble(), 8 => random.NextDouble() * 1e-3, _ => -1e10 * random.NextDouble(),
        };
        return random.Next(5) switch
        {
            0 => Operand(random),
            1 => BitConverter.DoubleToUInt64Bits(value),
            2 => Float(random, fractionBits: 52, exponentBits: 11),
            3 => Float(random, fractionBits: 23, exponentBits: 8) | (Float(random, fractionBits: 23, exponentBits: 8) << 32),
            _ => BitConverter.SingleToUInt32Bits((float)value) | ((ulong)BitConverter.SingleToUInt32Bits((float)random.Next(-3, 3)) << 32),
        };
    }

    /// <summary>A number near the ends of its format, or near 1, its fraction full, empty or of few bits.</summary>
    private static ulong Float(Random random, int fractionBits, int exponentBits)
    {
        int special = (1 << exponentBits) - 1;
        int exponent = random.Next(5) switch
        {
            0 => random.Next(3), 1 => special - random.Next(3), 2 => random.Next(special + 1), 3 => random.Next(2 * fractionBits), _ => (special / 2) + random.Next(-3, 4),
        };
        ulong fraction = random.Next(4) switch
        {
            0 => 0, 1 => ulong.MaxValue << random.Next(fractionBits), 2 => (1UL << random.Next(fractionBits)) | (1UL << random.Next(fractionBits)), _ => (ulong)random.NextInt64(),
        };
        ulong sign = (ulong)random.Next(2) << (fractionBits + exponentBits);
        return sign | ((ulong)exponent << fractionBits) | (fraction & ((1UL << fractionBits) - 1));
    }

    private static bool IsSuitable(in Instruction instruction)
    {
        if (instruction.IsInvalid || instruction.FlowControl != FlowControl.Next || instruction.IsStackInstruction || instruction.IsPrivileged
            || NotTried.Contains(instruction.Mnemonic) || instruction.HasLockPrefix || !IsOurs(in instruction))
        {
            return false;
        }

        for (int i = 0; i < instruction.OpCount; i++)
        {
            switch (instruction.GetOpKind(i))
            {
                case OpKind.Register:
                    Register register = instruction.GetOpRegister(i);
                    bool isStack = register is Register.RSP or Register.ESP or Register.SP or Register.SPL;
                    bool isPointer = register.IsGPR() && register.GetFullRegister() == Register.RSI;
                    bool isKnown = register.IsGPR() || register is >= Register.ST0 and <= Register.ST7 || register.IsMM() || (register.IsXMM() && register <= Register.XMM7);
                    if (isStack || isPointer || !isKnown)
                    {
                        return false;
                    }

                    break;
                case OpKind.Memory:
                    if (instruction.MemoryBase != Register.RSI || instruction.MemoryIndex != Register.None || instruction.MemoryDisplacement64 > 32)
                    {
                        return false;
                    }

                    // A bit string reaches beyond its operand.
                    if (instruction.Mnemonic is Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc && instruction.Op1Kind == OpKind.Register)
                    {
                        return false;
                    }

                    int size = instruction.MemorySize.GetSize();
                    if (size == 16 && instruction.MemoryDisplacement64 % 16 != 0)
                    {
                        return false;
                    }

                    break;
                case OpKind.MemorySegRDI or OpKind.MemorySegRSI or OpKind.MemoryESRDI or OpKind.MemorySegEDI or OpKind.MemoryESEDI or OpKind.MemorySegESI:
                    return false;
            }
        }

        // Results that the manual leaves undefined.
        bool is16 = instruction.Op0Kind == OpKind.Register ? instruction.Op0Register.GetSize() == 2 : instruction.MemorySize.GetSize() == 2;
        return !(instruction.Mnemonic is Mnemonic.Shld or Mnemonic.Shrd && is16);
    }

    /// <summary>What qemu64 with POPCNT has.</summary>
    private static bool IsOurs(in Instruction instruction)
    {
        foreach (CpuidFeature feature in instruction.CpuidFeatures)
        {
            bool isThere = feature is CpuidFeature.INTEL8086 or CpuidFeature.INTEL186 or CpuidFeature.INTEL286 or CpuidFeature.INTEL386
                or CpuidFeature.INTEL486 or CpuidFeature.X64 or CpuidFeature.CMOV or CpuidFeature.SSE or CpuidFeature.SSE2 or CpuidFeature.SSE3
                or CpuidFeature.POPCNT or CpuidFeature.MMX or CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387 or CpuidFeature.CX8 or CpuidFeature.CMPXCHG16B;
            if (!isThere)
            {
                return false;
            }
        }

        return instruction.Mnemonic is not (Mnemonic.In or Mnemonic.Out or Mnemonic.Cpuid or Mnemonic.Ldmxcsr or Mnemonic.Stmxcsr or Mnemonic.Maskmovdqu or Mnemonic.Maskmovq
            or Mnemonic.Clflush);
    }
}
