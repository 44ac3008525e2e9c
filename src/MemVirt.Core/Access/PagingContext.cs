namespace MemVirt.Core.Access;

/// <summary>Whose translations an access uses, and how privileged it is.</summary>
/// <param name="VirtualProcessor">VPID or ASID; 0 for a native system (Intel SDM Vol. 3C §28.1).</param>
/// <param name="ProcessContext">PCID, 12 bits (Intel SDM Vol. 3A §4.10.1).</param>
/// <param name="User">Whether CPL is 3.</param>
public readonly record struct PagingContext(ushort VirtualProcessor, ushort ProcessContext, bool User)
{
    /// <summary>The largest PCID.</summary>
    public const ushort MaxProcessContext = (1 << 12) - 1;
}
