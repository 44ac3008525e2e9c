namespace MemVirt.Core.Tags;

/// <summary>
/// The generation that a TLB was last emptied for; the default stands for a TLB of unknown content. Kept beside the TLB.
/// </summary>
public struct TlbGeneration
{
    /// <summary>The generation; 0 before the first.</summary>
    public ulong Value { get; internal set; }
}
