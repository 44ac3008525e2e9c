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
    public bool LeafDirty { get; private set; }

    /// <inheritdoc/>
    /// <remarks>
    /// Where the second stage keeps dirty bits, the read of a guest's table entry counts as a write (Intel SDM Vol. 3C §28.3.5,
    /// AMD APM Vol. 2 §15.25.5): the walk may have to set the entry's accessed bit.
    /// </remarks>
    public bool TryLocate(ulong tableAddress, out ulong hostTable)
        => TryTranslate(
            tableAddress,
            TFormat.DirtyBit != 0 ? AccessRights.Read | AccessRights.Write : AccessRights.Read,
            out hostTable,
            out _,
            out _);

    /// <inheritdoc/>
    public bool TryTranslate(ulong gpa, AccessRights needed, out ulong hpa, out int leafLevel, out AccessRights rights)
    {
        // Every access of a guest is a user access to the second stage (AMD APM Vol. 2 §15.25.5); EPT grants that always.
        needed |= AccessRights.User;
        bool isStore = (needed & AccessRights.Write) != 0;
        if (nestedTlb is not null && nestedTlb.TryFind(gpa, context, out hpa, out leafLevel, out rights, out bool dirty)
            && (needed & ~rights) == 0 && (dirty || !isStore))
        {
            LeafDirty = dirty;
            return true;
        }

        if (gpa > AddressBits.Mask48)
        {
            (hpa, leafLevel, rights) = (0, 0, AccessRights.None);
            return Fail(gpa, TranslationStatus.SecondStageNotPresent);
        }

        WalkResult walk = RadixWalk<TFormat, HostTables, TReader>.Walk(
            ref _tables, ref _reader, TableKind.SecondStage, caches, context, root, gpa);
        leafLevel = walk.Level;
        rights = walk.Rights;
        hpa = TableGeometry.PageAddress(walk.Entry, leafLevel) | (gpa & ((1UL << TableGeometry.ShiftOf(leafLevel)) - 1));
        if (walk.Status != WalkStatus.Leaf)
        {
            return Fail(gpa, TranslationStatus.SecondStageNotPresent);
        }

        if ((needed & ~rights) != 0)
        {
            return Fail(gpa, TranslationStatus.SecondStageProtection);
        }

        LeafDirty = (walk.Entry & TFormat.DirtyBit) == TFormat.DirtyBit;
        if (isStore && !LeafDirty)
        {
            _reader.SetBits(walk.EntryAddress, TFormat.DirtyBit);
            LeafDirty = true;
        }

        nestedTlb?.Fill(gpa, context, hpa, leafLevel, rights, LeafDirty);
        return true;
    }

    /// <inheritdoc/>
    public readonly void Invalidate()
    {
        nestedTlb?.Clear();
        caches?.Clear();
    }

    /// <summary>A fault forgets what is cached of its address, so that it does not recur once the tables are mended (SDM §28.4.3.1).</summary>
    private bool Fail(ulong gpa, TranslationStatus status)
    {
        nestedTlb?.Drop(gpa, context);
        caches?.Drop(gpa, context);
        FaultAddress = gpa;
        FaultStatus = status;
        return false;
    }
}
