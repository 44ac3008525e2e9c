namespace MemVirt.Core.Registers;

/// <summary>How linear addresses become physical ones (Intel SDM Vol. 3A §4.1.1).</summary>
public enum PagingMode : byte
{
    /// <summary>CR0.PG is 0: linear addresses are physical.</summary>
    None,

    /// <summary>Two levels of 4-byte entries: CR4.PAE is 0.</summary>
    Bits32,

    /// <summary>Four PDPTE registers and two levels of 8-byte entries: CR4.PAE without long mode.</summary>
    Pae,

    /// <summary>Four levels: long mode.</summary>
    FourLevel,

    /// <summary>Five levels: long mode with CR4.LA57.</summary>
    FiveLevel,
}
