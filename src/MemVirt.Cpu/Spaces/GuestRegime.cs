namespace MemVirt.Cpu.Spaces;

/// <summary>How a guest's addresses are translated.</summary>
public enum GuestRegime
{
    /// <summary>No virtualization.</summary>
    Native,

    /// <summary>Shadow paging.</summary>
    Shadow,

    /// <summary>Intel EPT.</summary>
    Ept,

    /// <summary>AMD nested paging.</summary>
    Npt,
}
