using MemVirt.Core.Access;
using MemVirt.Core.Registers;
using MemVirt.Native.Kvm;

namespace MemVirt.Native.Guests;

/// <summary>A 64-bit guest that does one access at a time and reports the exception that ends it.</summary>
internal sealed class Guest : IDisposable
{
    private const ulong BaseCr0 = 0x8004_0033;
    private const ulong BaseCr4 = 0x6A0;
    private const ulong BaseEfer = 0x501;
    private const ulong AlignmentCheckFlag = 1UL << 18;
    private const ulong AlwaysOneFlag = 1UL << 1;
    private readonly VirtualProcessorThread _thread;
    private readonly KvmSystemRegisters _initial;

    internal Guest(KvmDevice device, VirtualProcessorThread thread, ulong memoryBytes)
    {
        _thread = thread;
        Machine = new VirtualMachine(device, memoryBytes);
        VirtualProcessorThread.Adopt(Machine);
        GuestImage.Write(Machine);
        KvmSystemRegisters registers = default;
        Machine.Processor.Control(KvmRequests.GetSystemRegisters, "KVM_GET_SREGS", ref registers);
        _initial = WithDescriptors(registers);
        Features = GuestFeatures.Of(device.SupportedCpuid());
    }

    internal VirtualMachine Machine { get; }

    /// <summary>What CPUID tells the guest.</summary>
    internal ProcessorFeatures Features { get; }

    /// <summary>Registers of 64-bit paging with CR0.WP and EFER.NXE, CR3 0.</summary>
    internal static PagingRegisters LongMode => new()
    {
        Cr0 = BaseCr0 | Cr0.WriteProtect,
        Cr4 = BaseCr4,
        Efer = BaseEfer | Efer.NoExecuteEnable,
    };

    public void Dispose() => Machine.Dispose();

    /// <summary>Does one access at an address, after which, or instead of which, an exception is reported.</summary>
    /// <param name="registers">CR0, CR3, CR4, EFER, CPL (0 or 3) and, in supervisor mode, AC.</param>
    /// <param name="access">What to do.</param>
    /// <param name="address">Where; canonical.</param>
    /// <param name="limit">The time that it may take.</param>
    internal GuestReport Access(in PagingRegisters registers, MemoryAccess access, ulong address, TimeSpan limit)
    {
        bool user = registers.CurrentPrivilegeLevel == 3;
        ulong stub = user ? GuestLayout.UserStubs : GuestLayout.SupervisorStubs;
        stub += GuestLayout.StubBytes * (access switch { MemoryAccess.Read => 0UL, MemoryAccess.Write => 1UL, _ => 2UL });
        var general = new KvmRegisters
        {
            Rip = stub,
            Rdi = address,
            Rax = 0x0F, // what the target holds there, should it be written
            Rsp = GuestLayout.StackTop,
            Rflags = AlwaysOneFlag | (registers.AlignmentCheck ? AlignmentCheckFlag : 0),
        };
        KvmExit exit = Run(in registers, in general, limit);
        bool reported = exit == KvmExit.PortAccess
                        && Machine.RunField<ushort>(KvmRunLayout.PortNumber) == GuestLayout.ReportPort;
        if (!reported)
        {
            return new GuestReport { Exit = exit, Suberror = Machine.RunField<uint>(KvmRunLayout.InternalSuberror) };
        }

        ulong stack = Machine.Registers.Rsp;
        bool succeeded = access == MemoryAccess.Fetch ? Machine.Word(stack + 16) == address : Machine.Word(stack + 16) == stub + 2;
        return new GuestReport
        {
            Exit = exit,
            Vector = (byte)Machine.Word(stack),
            ErrorCode = (uint)Machine.Word(stack + 8),
            InstructionPointer = Machine.Word(stack + 16),
            Cr2 = Machine.Registers.Rax,
            EndedWhereItShould = succeeded,
        };
    }

    /// <summary>A jump to itself in user mode, which nothing but the limit ends.</summary>
    internal KvmExit Spin(TimeSpan limit)
    {
        var general = new KvmRegisters { Rip = GuestLayout.SpinStub, Rsp = GuestLayout.StackTop, Rflags = AlwaysOneFlag };
        return Run(LongMode with { Cr3 = GuestLayout.SpinRoot, CurrentPrivilegeLevel = 3 }, in general, limit);
    }

    /// <summary>Enters the guest with these registers, until it exits or the limit is over.</summary>
    internal KvmExit Run(in PagingRegisters registers, in KvmRegisters general, TimeSpan limit)
    {
        bool user = registers.CurrentPrivilegeLevel == 3;
        ref KvmSystemRegisters system = ref Machine.SystemRegisters;
        system = _initial;
        system.Cs = user ? Segment(GuestLayout.UserCode, 11, 3, isCode: true) : system.Cs;
        system.Ss = user ? Segment(GuestLayout.UserData, 3, 3, isCode: false) : system.Ss;
        (system.Cr0, system.Cr2, system.Cr3, system.Cr4, system.Efer) = (registers.Cr0, 0, registers.Cr3, registers.Cr4, registers.Efer);
        Machine.Registers = general;
        Machine.RunField<ulong>(KvmRunLayout.DirtyRegisters) = KvmRunLayout.BothRegisterSets;
        return _thread.Run(Machine, limit);
    }

    private static KvmSystemRegisters WithDescriptors(KvmSystemRegisters registers)
    {
        KvmSegment data = Segment(GuestLayout.SupervisorData, 3, 0, isCode: false);
        registers.Cs = Segment(GuestLayout.SupervisorCode, 11, 0, isCode: true);
        (registers.Ds, registers.Es, registers.Fs, registers.Gs, registers.Ss) = (data, data, data, data, data);
        registers.Tr = new KvmSegment
        {
            Base = GuestLayout.TaskState, Limit = 103, Selector = GuestLayout.TaskSelector, Type = 11, Present = 1,
        };
        registers.Gdt = new KvmDescriptorTable { Base = GuestLayout.Gdt, Limit = (7 * 8) - 1 };
        registers.Idt = new KvmDescriptorTable { Base = GuestLayout.Idt, Limit = (GuestLayout.Vectors * 16) - 1 };
        return registers;
    }

    private static KvmSegment Segment(ushort selector, byte type, byte privilegeLevel, bool isCode) => new()
    {
        Limit = uint.MaxValue,
        Selector = selector,
        Type = type,
        Present = 1,
        PrivilegeLevel = privilegeLevel,
        DefaultSize = (byte)(isCode ? 0 : 1),
        LongMode = (byte)(isCode ? 1 : 0),
        IsCodeOrData = 1,
        Granularity = 1,
    };
}
