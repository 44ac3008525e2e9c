namespace MemVirt.Core.Tags;

/// <summary>A VPID or ASID to run under.</summary>
/// <param name="Tag">Never 0.</param>
/// <param name="FlushAll">
/// Whether the TLB must be emptied of every tag before it is used: what it holds is from an older generation, whose tags are
/// being handed out again. It is the only flush ever needed: a tag new within its generation has nothing entered under it.
/// </param>
public readonly record struct TagGrant(ushort Tag, bool FlushAll);
