namespace MemVirt.Core.Slots;

/// <summary>How a slot learns which of its pages were written.</summary>
public enum DirtyLogging : byte
{
    /// <summary>Not at all.</summary>
    Off,

    /// <summary>
    /// The first write to a page since the last harvest faults, and the fault marks the page. Works in every format.
    /// </summary>
    WriteProtection,

    /// <summary>
    /// The processor sets the leaf's dirty bit, and the harvest collects it. Needs a format that keeps dirty bits.
    /// </summary>
    DirtyBits,
}
