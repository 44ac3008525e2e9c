using MemVirt.Core.Registers;

namespace MemVirt.Cpu;

/// <summary>What happens that would be an exit under some VMM.</summary>
public enum ExecutionEvent
{
    /// <summary>MOV to CR0 or CR4, LMSW, that changes a bit which a VMM keeps for itself under EPT too.</summary>
    OwnedControlWrite,

    /// <summary>What a VMM takes under shadow paging alone, a load of CR3 aside: MOV from CR3, a change of CR4.PGE.</summary>
    ControlAccess,

    /// <summary>INVLPG or INVPCID.</summary>
    Invlpg,

    /// <summary>IN, OUT, INS, OUTS.</summary>
    Io,

    /// <summary>HLT.</summary>
    Halt,

    /// <summary>CPUID.</summary>
    Cpuid,

    /// <summary>An external interrupt was delivered.</summary>
    Interrupt,

    /// <summary>RDMSR or WRMSR of one that a VMM does not let through.</summary>
    Msr,

    /// <summary>An access to a device's memory.</summary>
    DeviceMemory,

    /// <summary>A page fault of the guest's own was delivered.</summary>
    PageFault,
}

/// <summary>Hears of a guest's memory references in order, and between them of what changes their translation. One thread.</summary>
public interface IExecutionObserver
{
    /// <summary>
    /// References, packed: bits 47:0 the linear address, bits 49:48 the kind (0 fetch, 1 load, 2 store), bits 63:50 the size in bytes. Of
    /// fetches there is one for each run of instructions of one page; a string instruction has those of each of its elements.
    /// </summary>
    /// <param name="references">The references.</param>
    /// <param name="instructions">Instructions retired since the last call.</param>
    void References(ReadOnlySpan<ulong> references, long instructions);

    /// <summary>Registers have changed: CR0, CR4, EFER, CPL, PKRU; CR3 with <see cref="LoadedCr3"/>.</summary>
    /// <param name="registers">What they are now.</param>
    /// <param name="pointers">The PDPTE registers, which count in PAE paging.</param>
    void Registers(in PagingRegisters registers, PageDirectoryPointers pointers);

    /// <summary>MOV to CR3, after <see cref="Registers"/>.</summary>
    /// <param name="process">The PCID; 0 where there are none.</param>
    /// <param name="keeps">Whether translations are kept.</param>
    void LoadedCr3(ushort process, bool keeps);

    /// <summary>INVLPG of an address.</summary>
    void Invalidated(ulong linear);

    /// <summary>Every translation is forgotten.</summary>
    void InvalidatedAll();

    /// <summary>Something that is an exit under some VMM.</summary>
    void Count(ExecutionEvent happened);
}
