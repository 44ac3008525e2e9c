using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MemVirt.Native.Kvm;

/// <summary>struct kvm_userspace_memory_region: where guest-physical memory comes from; a size of 0 deletes the slot.</summary>
internal struct KvmMemoryRegion
{
    internal uint Slot;
    internal uint Flags;
    internal ulong GuestPhysical;
    internal ulong SizeBytes;
    internal ulong HostVirtual;
}

/// <summary>struct kvm_regs.</summary>
internal struct KvmRegisters
{
    internal ulong Rax, Rbx, Rcx, Rdx, Rsi, Rdi, Rsp, Rbp;
    internal ulong R8, R9, R10, R11, R12, R13, R14, R15;
    internal ulong Rip, Rflags;
}

/// <summary>struct kvm_segment.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
internal struct KvmSegment
{
    internal ulong Base;
    internal uint Limit;
    internal ushort Selector;
    internal byte Type, Present, PrivilegeLevel, DefaultSize, IsCodeOrData, LongMode, Granularity, Available, Unusable;
}

/// <summary>struct kvm_dtable: GDTR or IDTR.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
internal struct KvmDescriptorTable
{
    internal ulong Base;
    internal ushort Limit;
}

/// <summary>struct kvm_sregs.</summary>
[StructLayout(LayoutKind.Sequential, Size = 312)]
internal struct KvmSystemRegisters
{
    internal KvmSegment Cs, Ds, Es, Fs, Gs, Ss, Tr, Ldt;
    internal KvmDescriptorTable Gdt, Idt;
    internal ulong Cr0, Cr2, Cr3, Cr4, Cr8, Efer, ApicBase;
}

/// <summary>struct kvm_cpuid_entry2.</summary>
[StructLayout(LayoutKind.Sequential, Size = 40)]
internal struct KvmCpuidEntry
{
    internal uint Function, Index, Flags, Eax, Ebx, Ecx, Edx;
}

/// <summary>struct kvm_cpuid2 with room for as many leaves as any host is known to have.</summary>
internal struct KvmCpuid
{
    internal const int Capacity = 256;
    internal uint Count;
    internal uint Padding;
    internal Leaves Entries;

    [InlineArray(Capacity)]
    internal struct Leaves
    {
        private KvmCpuidEntry _entry;
    }
}

/// <summary>struct kvm_signal_mask with the kernel's 8-byte signal set.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal struct KvmSignalMask
{
    internal uint LengthBytes;
    internal ulong Blocked;
}

/// <summary>Offsets in struct kvm_run, which the vCPU's descriptor maps.</summary>
internal static class KvmRunLayout
{
    internal const int ImmediateExit = 1;
    internal const int ExitReason = 8;
    internal const int PortNumber = 34;
    internal const int MmioAddress = 32;
    internal const int InternalSuberror = 32;
    internal const int ValidRegisters = 288;
    internal const int DirtyRegisters = 296;
    internal const int Registers = 304;
    internal const int SystemRegisters = 448;

    /// <summary>KVM_SYNC_X86_REGS and KVM_SYNC_X86_SREGS.</summary>
    internal const ulong BothRegisterSets = 3;
}
