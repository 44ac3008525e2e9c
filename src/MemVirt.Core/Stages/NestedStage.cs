using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Stages;

/// <summary>EPT or NPT: a walk of second-stage tables, behind a nested TLB and paging-structure caches of its own where it has them.</summary>
/// <param name="reader">Reads entries.</param>
/// <param name="root">The host-physical address of the root table: EPTP or nested CR3.</param>
/// <param name="context">The tag of the caches' entries: EPTP or ASID.</param>
/// <param name="nestedTlb">A nested TLB, or null.</param>
/// <param name="caches">Paging-structure caches of the second stage, or null.</param>
public struct NestedStage<TFormat, TReader>(
    TReader reader, ulong root, uint context, NestedTlb? nestedTlb = null, PagingStructureCaches? caches = null) : ISecondStage
    where TFormat : struct, IPageTableFormat
    where TReader : struct, ITableReader
{
    private TReader _reader = reader;
    private HostTables _tables;

    /// <inheritdoc/>
    public TranslationStatus FaultStatus { get; private set; }

    /// <inheritdoc/>
    public ulong FaultAddress { get; private set; }

    /// <inheritdoc/>
    public bool TryLocate(ulong tableAddress, out ulong hostTable)
        => TryTranslate(tableAddress, AccessRights.Read, out hostTable, out _, out _);

    /// <inheritdoc/>
    public bool TryTranslate(ulong gpa, AccessRights needed, out ulong hpa, out int leafLevel, out AccessRights rights)
    {
        if (nestedTlb is not null && nestedTlb.TryFind(gpa, context, out hpa, out leafLevel, out rights))
        {
            return Check(gpa, needed, rights);
        }

        WalkResult walk = RadixWalk<TFormat, HostTables, TReader>.Walk(
            ref _tables, ref _reader, TableKind.SecondStage, caches, context, root, gpa);
        leafLevel = walk.Level;
        rights = walk.Rights;
        if (walk.Status != WalkStatus.Leaf)
        {
            hpa = 0;
            FaultAddress = gpa;
            FaultStatus = TranslationStatus.SecondStageNotPresent;
            return false;
        }

        hpa = TableGeometry.PageAddress(walk.Entry, leafLevel) | (gpa & ((1UL << TableGeometry.ShiftOf(leafLevel)) - 1));
        nestedTlb?.Fill(gpa, context, hpa, leafLevel, rights);
        return Check(gpa, needed, rights);
    }

    /// <inheritdoc/>
    public readonly void Invalidate()
    {
        nestedTlb?.Clear();
        caches?.Clear();
    }

    private bool Check(ulong gpa, AccessRights needed, AccessRights rights)
    {
        // A guest's rights say nothing of user mode in the second stage.
        if ((needed & ~rights & ~AccessRights.User) == 0)
        {
            return true;
        }

        FaultAddress = gpa;
        FaultStatus = TranslationStatus.SecondStageProtection;
        return false;
    }
}
