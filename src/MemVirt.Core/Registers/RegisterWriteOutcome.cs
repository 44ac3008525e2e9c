namespace MemVirt.Core;

/// <summary>How a write of a control register ended.</summary>
public enum RegisterWriteOutcome : byte
{
    /// <summary>The register is written, and what the manual says is forgotten.</summary>
    Done,

    /// <summary>#GP(0); nothing has changed.</summary>
    GeneralProtection,

    /// <summary>The PDPTEs of PAE paging could not be read through the second stage; nothing has changed.</summary>
    SecondStageFault,
}
