using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Sources;

/// <summary>
/// A guest's walk whose tables are reached through a second stage, and the final address sent through it too: the
/// two-dimensional walk, 24 reads for four levels on four (Intel SDM Vol. 3C §28.3). With <see cref="IdentityStage"/> it is
/// native paging, 4 reads. The guest's dirty bit is set once the final translation of a store has succeeded.
/// </summary>
public struct TwoStageSource<TFormat, TStage, TReader>(
    TStage stage, TReader reader, TableKind kind = TableKind.Guest, PagingStructureCaches? caches = null) : ITranslationSource
    where TFormat : struct, IPageTableFormat
    where TStage : struct, ISecondStage
    where TReader : struct, ITableReader
{
    private TStage _stage = stage;
    private TReader _reader = reader;

    /// <summary>The root table's address in the guest's space: CR3 without its low bits.</summary>
    public ulong Root { get; set; }

    /// <summary>The context that the paging-structure caches' entries are tagged with: VPID or ASID, and PCID.</summary>
    public uint Context { get; set; }

    /// <inheritdoc/>
    public Translation Translate(ulong address, AccessRights needed)
    {
        WalkResult walk = RadixWalk<TFormat, TStage, TReader>.Walk(
            ref _stage, ref _reader, kind, caches, Context, Root, address);
        if (walk.Status != WalkStatus.Leaf)
        {
            return walk.Status == WalkStatus.NotPresent
                ? Translation.Fault(TranslationStatus.GuestNotPresent)
                : Translation.Fault(_stage.FaultStatus, _stage.FaultAddress, isTableAccess: true);
        }

        if ((needed & ~walk.Rights) != 0)
        {
            return Translation.Fault(TranslationStatus.GuestProtection);
        }

        ulong offset = address & ((1UL << TableGeometry.ShiftOf(walk.Level)) - 1);
        ulong gpa = TableGeometry.PageAddress(walk.Entry, walk.Level) | offset;
        if (!_stage.TryTranslate(gpa, needed, out ulong hpa, out int stageLevel, out AccessRights stageRights))
        {
            return Translation.Fault(_stage.FaultStatus, gpa);
        }

        bool dirty = (walk.Entry & TFormat.DirtyBit) == TFormat.DirtyBit;
        if (!dirty && (needed & AccessRights.Write) != 0)
        {
            _reader.SetBits(walk.EntryAddress, TFormat.DirtyBit);
            dirty = true;
        }

        int leafLevel = Math.Min(walk.Level, stageLevel);
        ulong pageMask = ~((1UL << TableGeometry.ShiftOf(leafLevel)) - 1);
        AccessRights rights = walk.Rights & (stageRights | AccessRights.User);
        return Translation.Completed(
            hpa & pageMask, gpa & pageMask, leafLevel, rights, dirty && _stage.LeafDirty && (rights & AccessRights.Write) != 0,
            isPiece: leafLevel < walk.Level);
    }

    /// <inheritdoc/>
    public void Invalidate(in TlbInvalidation invalidation, uint context)
    {
        switch (invalidation.Scope)
        {
            case InvalidationScope.Address:
                caches?.Drop(invalidation.Address.Value, context);
                break;
            case InvalidationScope.Context:
                caches?.DropContext(context);
                break;
            default:
                caches?.Clear();
                break;
        }

        if (invalidation.Scope == InvalidationScope.All)
        {
            _stage.Invalidate();
        }
    }
}
