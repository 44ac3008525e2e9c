using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.Execution;

/// <summary>A guest in 64-bit mode with descriptor tables and handlers of its interrupts.</summary>
internal sealed class HandlerGuest : IDisposable
{
    public const ushort Code64 = 8;
    public const ushort Data = 16;
    public const ushort UserCode64 = 0x2B;
    private const ulong GlobalTable = 0x6000;
    private const ulong InterruptTable = 0x7000;
    private const ulong Task = 0x9000;
    private const ulong Handlers = 0x11_0000;
    private const int HandlerBytes = 0x200;

    public HandlerGuest(Action<Assembler> write, CpuProfile? profile = null)
    {
        Guest = new CodeGuest(Assemble(write, CodeGuest.CodeAddress), profile: profile);
        ReadOnlySpan<ulong> descriptors =
        [
            0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00CF_FB00_0000_FFFF, 0x00CF_F300_0000_FFFF, 0x00AF_FB00_0000_FFFF,
        ];
        for (int i = 0; i < descriptors.Length; i++)
        {
            Guest.Write(GlobalTable + ((ulong)i * 8), descriptors[i]);
        }

        Guest.Write(Task + 4, CodeGuest.StackTop - 0x1000);
        ref DescriptorTables tables = ref Processor.Tables;
        (tables.GdtBase, tables.GdtLimit) = (GlobalTable, (ushort)((descriptors.Length * 8) - 1));
        (tables.IdtBase, tables.IdtLimit) = (InterruptTable, 0xFFF);
        tables.Task = new SegmentRegister { Selector = 0x30, Base = Task, Limit = 103, Attributes = 0x8B00 };
    }

    public CodeGuest Guest { get; }

    public Processor Processor => Guest.Machine.Processor;

    public ulong this[Register register] => Guest[register];

    /// <summary>Puts a handler behind a vector.</summary>
    public HandlerGuest On(int vector, Action<Assembler> write)
    {
        ulong address = Handlers + (ulong)(vector * HandlerBytes);
        Guest.Write(address, Assemble(write, address));
        ulong gate = InterruptTable + ((ulong)vector * 16);
        Guest.Write(gate, (address & 0xFFFF) | ((ulong)Code64 << 16) | (0x8EUL << 40) | (address >> 16 << 48));
        Guest.Write(gate + 8, address >> 32);
        return this;
    }

    /// <summary>Runs to HLT.</summary>
    public HandlerGuest Run()
    {
        Guest.Run();
        return this;
    }

    /// <summary>Whether code runs to its end, rather than into a fault.</summary>
    public static bool Completes(CpuProfile profile, int faultVector, Action<Assembler> write)
    {
        using var guest = new HandlerGuest(
            a =>
            {
                write(a);
                a.mov(ebx, 1);
                a.hlt();
            },
            profile);
        guest.On(faultVector, a => a.hlt()).Run();
        return guest[Register.RBX] == 1;
    }

    /// <summary>WRMSR of a constant; RAX, RCX and RDX are lost.</summary>
    public static void WriteMsr(Assembler a, uint number, ulong value)
    {
        a.mov(ecx, number);
        a.mov(eax, (uint)value);
        a.mov(edx, (uint)(value >> 32));
        a.wrmsr();
    }

    /// <summary>The local APIC in x2APIC mode, enabled.</summary>
    public static void EnableX2Apic(Assembler a)
    {
        WriteMsr(a, 0x1B, 0xFEE0_0D00);
        WriteMsr(a, 0x80F, 0x1FF);
    }

    /// <summary>A handler of the local APIC's interrupts that counts in RBX.</summary>
    public static void CountInterrupt(Assembler a)
    {
        a.inc(rbx);
        WriteMsr(a, 0x80B, 0);
        a.iretq();
    }

    private static byte[] Assemble(Action<Assembler> write, ulong address)
    {
        var assembler = new Assembler(64);
        write(assembler);
        using var bytes = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(bytes), address);
        return bytes.ToArray();
    }

    public void Dispose() => Guest.Dispose();
}
