namespace MemVirt.Core.Tags;

/// <summary>
/// The VPID or ASID that a virtual processor holds, and the generation that it belongs to. Kept by one virtual processor and
/// written by its own thread only; the default value holds nothing.
/// </summary>
public struct TagHolder
{
    /// <summary>The generation in which the tag was handed out; 0 before the first.</summary>
    public ulong Generation { get; internal set; }

    /// <summary>The tag, or 0: none.</summary>
    public ushort Tag { get; internal set; }

    /// <summary>
    /// Gives the tag up, so that the next acquisition hands out one that nothing is entered under: all translations of this
    /// virtual processor are forgotten, at the price of a tag (as KVM's SVM code does for a flush of a guest).
    /// </summary>
    public void Drop() => Tag = 0;
}
