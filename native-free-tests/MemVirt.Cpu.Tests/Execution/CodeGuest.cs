using Iced.Intel;
using MemVirt.Core.Formats;
using MemVirt.Core.Access;
using MemVirt.Cpu.Loading;
using MemVirt.Cpu.Spaces;

namespace MemVirt.Cpu.Tests.Execution;

/// <summary>A guest in 64-bit mode with some code at 1 MiB, 4 MiB of RAM mapped where it lies, and nothing else.</summary>
internal sealed class CodeGuest : IDisposable
{
    public const ulong CodeAddress = 0x10_0000;
    public const ulong StackTop = 0x20_0000;
    public const ulong Data = 0x28_0000;
    private const ulong Root = 0x1000;
    private const ulong PageDirectoryPointers = 0x2000;
    private const ulong PageDirectory = 0x3000;
    private const uint Code64 = 0xA09B;
    private const uint Data32 = 0xC093;

    public CodeGuest(ReadOnlySpan<byte> code, GuestRegime regime = GuestRegime.Native, int level = 0, CpuProfile? profile = null)
    {
        Machine = new GuestMachine(new GuestOptions
        {
            MemoryBytes = 4 << 20, Regime = regime, Profile = profile ?? CpuProfile.Max with { LinearAddress57 = false }, Output = Written.Add,
        });
        Write(Root, X64FourLevel.TableEntry(PageDirectoryPointers));
        Write(PageDirectoryPointers, X64FourLevel.TableEntry(PageDirectory));
        for (ulong page = 0; page < 2; page++)
        {
            Write(PageDirectory + (page * 8), X64FourLevel.LeafEntry(page << 21, level: 1, AccessRights.All, dirty: true));
        }

        Write(CodeAddress, code);
        var registers = new ulong[16];
        registers[4] = StackTop;
        uint privilege = (uint)level << 5;
        Machine.Start(new BootState
        {
            Mode = BootMode.Long64, Rip = CodeAddress, GeneralRegisters = registers, Cr0 = 0x8001_0033, Cr3 = Root, Cr4 = 0x620, Efer = 0xD01,
            Code = new SegmentState((ushort)(8 | level), 0, uint.MaxValue, Code64 | privilege),
            Data = new SegmentState((ushort)(16 | level), 0, uint.MaxValue, Data32 | privilege), GlobalTable = default,
        });
        Machine.Processor.SetPrivilege(level);
    }

    public GuestMachine Machine { get; }

    public List<byte> Written { get; } = [];

    /// <summary>A guest of assembled code.</summary>
    public static CodeGuest Of(Action<Assembler> write, GuestRegime regime = GuestRegime.Native)
    {
        var assembler = new Assembler(64);
        write(assembler);
        using var bytes = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(bytes), CodeAddress);
        return new CodeGuest(bytes.ToArray(), regime);
    }

    /// <summary>Runs to HLT.</summary>
    public CodeGuest Run()
    {
        GuestStop stop = Machine.Run(1_000_000_000);
        Assert.True(stop == GuestStop.Halted, $"{stop} at {Machine.Where}");
        return this;
    }

    public ulong this[Register register] => Machine.Processor.Register(RegisterFile.OffsetOf(register));

    public ulong Flags => Machine.Processor.Rflags;

    public ulong Read(ulong address)
    {
        Assert.True(Machine.Space.TryResolve(address, out ulong hpa));
        return Machine.HostMemory.Read(hpa);
    }

    public void Write(ulong address, ulong value) => Write(address, BitConverter.GetBytes(value));

    public void Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        Assert.True(Machine.Space.TryResolve(address, out ulong hpa));
        bytes.CopyTo(Machine.HostMemory.InFrame(hpa, bytes.Length));
    }

    public void Dispose() => Machine.Dispose();
}
