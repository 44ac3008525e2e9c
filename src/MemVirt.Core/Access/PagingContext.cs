namespace MemVirt.Core.Access;

/// <summary>Whose translations an access uses, and how privileged it is.</summary>
/// <param name="VirtualProcessor">VPID or ASID; 0 for a native system (Intel SDM Vol. 3C §28.1).</param>
/// <param name="ProcessContext">PCID, 12 bits (Intel SDM Vol. 3A §4.10.1).</param>
/// <param name="User">Whether CPL is 3.</param>
/// <param name="SecondStage">A number that stands for the second stage, as EPTP does in a tag; 0 where there is but one.</param>
/// <param name="AlignmentCheck">EFLAGS.AC: lets explicit supervisor accesses past SMAP.</param>
public readonly record struct PagingContext(
    ushort VirtualProcessor, ushort ProcessContext, bool User, ushort SecondStage = 0, bool AlignmentCheck = false)
{
    /// <summary>The largest PCID.</summary>
    public const ushort MaxProcessContext = (1 << 12) - 1;

    /// <summary>What an access in this context needs besides the right of its kind.</summary>
    internal AccessRights Privilege => User ? AccessRights.User : AlignmentCheck ? AccessRights.AlignmentCheck : AccessRights.None;
}
