namespace MemVirt.Simulation.Live;

/// <summary>Why a guest leaves for its VMM (Intel SDM Vol. 3D appendix C, put together as one prices them).</summary>
public enum ExitReason
{
    /// <summary>A page fault under shadow paging: the guest's own, the shadow's, a store to a protected table.</summary>
    PageFault,

    /// <summary>MOV to and from control registers, CLTS, LMSW.</summary>
    ControlRegister,

    /// <summary>INVLPG and INVPCID.</summary>
    Invlpg,

    /// <summary>IN, OUT, INS, OUTS.</summary>
    Io,

    /// <summary>HLT.</summary>
    Halt,

    /// <summary>CPUID.</summary>
    Cpuid,

    /// <summary>An external interrupt.</summary>
    Interrupt,

    /// <summary>An EPT violation, or a nested page fault.</summary>
    SecondStage,

    /// <summary>RDMSR and WRMSR of what the VMM does not let through.</summary>
    Msr,

    /// <summary>A device's memory.</summary>
    DeviceMemory,
}
