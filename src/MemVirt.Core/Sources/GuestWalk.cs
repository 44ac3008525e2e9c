using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.MemoryTypes;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Sources;

/// <summary>
/// A guest's walk whose tables are reached through a second stage, and the final address sent through it too: the
/// two-dimensional walk, 24 reads for four levels on four (Intel SDM Vol. 3C §28.3). The guest leaf's accessed and dirty flags are
/// set once the final translation has succeeded.
/// </summary>
internal static class GuestWalk<TFormat, TStage, TReader>
    where TFormat : struct, IPageTableFormat
    where TStage : struct, ISecondStage
    where TReader : struct, ITableReader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // one instance a source: bench WalkBenchmarks
    internal static Translation Translate(
        ref TStage stage, ref TReader reader, TableKind kind, GuestRules rules, PagingStructureCaches? caches, uint context,
        ulong root, ulong address, AccessRights needed)
    {
        while (true)
        {
            AccessRights start = AccessRights.Unrestricted;
            WalkPoint at;
            WalkResult walk;
            bool isPlain = caches is null
                ? RadixWalk<TFormat, TStage, TReader>.TryWalkPlain(ref stage, ref reader, kind, rules.Entries, root, address, out at)
                : RadixWalk<TFormat, TStage, TReader>.TryLeafOfCachedTable(
                    ref reader, kind, rules.Entries, caches, context, address, out at, out start);
            if (isPlain)
            {
                AccessRights reached = start & RadixWalk<TFormat, TStage, TReader>.RightsAt(in at);
                walk = new WalkResult(WalkStatus.Leaf, at.Level, reached, at.Entry, at.EntryAddress, at.Table, at.IsWritable);
            }
            else
            {
                walk = WalkOn(ref stage, ref reader, kind, rules.Entries, caches, context, root, address, at, start);
                if (walk.Status != WalkStatus.Leaf)
                {
                    if (walk.Status == WalkStatus.TableReadOnly && walk.Table == WalkResult.UnknownTable)
                    {
                        // Only a walk from the root tells which guest-physical address the second stage protects.
                        caches = null;
                        continue;
                    }

                    return Fail(ref stage, rules, needed, walk, address);
                }
            }

            if (rules.Policy.DeniesLeaf(needed, walk.Rights, walk.Entry))
            {
                return Deny(rules, needed, walk.Rights, walk.Entry);
            }

            ulong offset = address & ((1UL << TFormat.ShiftOf(walk.Level)) - 1);
            ulong gpa = TFormat.PageAddress(walk.Entry, walk.Level) | offset;
            AccessRights userAddress = (walk.Rights & AccessRights.User) != 0 ? AccessRights.UserExecute : AccessRights.None;
            ulong hpa = stage.Translate(gpa, (needed & AccessRights.All) | userAddress, out int stageLevel, out AccessRights granted);
            if (hpa == ITableLocator.Unreachable)
            {
                return FaultOf(ref stage, stage.DescribeLinearAddress(walk.Rights, needed), isTable: false);
            }

            bool isStore = (needed & AccessRights.Write) != 0;
            ulong flags = (rules.Entries.AccessedBit | (isStore ? rules.Entries.DirtyBit : 0)) & ~walk.Entry;
            if (flags != 0 && !TrySetLeafFlags(ref stage, ref reader, kind, walk, address, flags, out Translation fault))
            {
                if (fault.Status != TranslationStatus.Ok)
                {
                    return fault;
                }

                // The entry has changed; or only a walk from the root tells which guest-physical address the second stage protects.
                caches = walk.IsWritable ? caches : null;
                continue;
            }

            int leafLevel = Math.Min(walk.Level, stageLevel);
            ulong pageMask = ~((1UL << TableGeometry.ShiftOf(leafLevel)) - 1);
            AccessRights rights = Combine(walk.Rights, granted);
            bool isDirty = ((walk.Entry | flags) & rules.Entries.DirtyBit) == rules.Entries.DirtyBit;
            bool mayStore = (granted & AccessRights.Write) != 0
                            && ((walk.Rights & AccessRights.Write) != 0 || rules.Policy.SupervisorIgnoresReadOnly);
            bool isPiece = leafLevel < walk.Level || (TFormat.EntryBytes == 4 && walk.Level > 0);
            Translation translation = Translation.Completed(
                    hpa & pageMask, gpa & pageMask, leafLevel, rights, isDirty && stage.LeafDirty && mayStore, isPiece)
                .WithAttributesOf(walk.Entry, rules.GlobalBit);
            return rules.MemoryTypes is null ? translation : WithMemoryType(translation, ref stage, rules.MemoryTypes, walk, hpa);
        }
    }

    /// <summary>The walk that turned out not to be plain: on from the entry that was read, or from the caches.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WalkResult WalkOn(
        ref TStage stage, ref TReader reader, TableKind kind, EntryRules rules, PagingStructureCaches? caches, uint context,
        ulong root, ulong address, WalkPoint at, AccessRights start)
        => caches is null
            ? RadixWalk<TFormat, TStage, TReader>.Continue(ref stage, ref reader, kind, rules, address, at)
            : at.Table != WalkResult.UnknownTable
                ? RadixWalk<TFormat, TStage, TReader>.Walk(ref stage, ref reader, kind, rules, caches, context, root, address)
                : RadixWalk<TFormat, TStage, TReader>.ContinueFromCache(
                    ref stage, ref reader, kind, rules, caches, context, address, at, start);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Translation WithMemoryType(
        Translation translation, ref TStage stage, MemoryTypeRules types, WalkResult walk, ulong hpa)
    {
        int index = PageAttributeBits.IndexOfPage(walk.Entry, largePage: walk.Level > 0);
        return translation.WithMemoryType(stage.MemoryTypeOf(types, types.PageAttributes.TypeAt(index), hpa));
    }

    internal static AccessRights Combine(AccessRights guest, AccessRights stage)
        => (guest & (stage | AccessRights.User | AccessRights.ShadowStack))
           | ((guest & AccessRights.Execute) != 0 ? stage & AccessRights.UserExecute : AccessRights.None);

    internal static Translation FaultOf(ref TStage stage, ulong description, bool isTable)
    {
        SecondStageFault fault = stage.Fault;
        return Translation.Fault(fault.Status, fault.Address, isTable, fault.Code | description, fault.IsConvertible);
    }

    /// <summary>
    /// Sets flags of the guest's leaf. False with a fault where the second stage forbids the write, false without one where the walk
    /// must be done again: the entry has changed, or a cache hid which address is protected.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TrySetLeafFlags(
        ref TStage stage, ref TReader reader, TableKind kind, WalkResult walk, ulong address, ulong flags, out Translation fault)
    {
        fault = default;
        if (!walk.IsWritable)
        {
            if (walk.Table == WalkResult.UnknownTable)
            {
                return false;
            }

            stage.FailTableWrite(walk.Table + TFormat.EntryOffset(address, walk.Level));
            fault = FaultOf(ref stage, 0, isTable: true);
            return false;
        }

        return TableEntry<TFormat, TReader>.TrySetFlags(ref reader, walk.EntryAddress, kind, walk.Level, walk.Entry, flags);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Translation Fail(ref TStage stage, GuestRules rules, AccessRights needed, WalkResult walk, ulong address)
    {
        switch (walk.Status)
        {
            case WalkStatus.NotPresent:
                return Translation.Fault(TranslationStatus.GuestNotPresent, code: (ulong)rules.Policy.NotPresent(needed));
            case WalkStatus.Reserved:
                return Translation.Fault(TranslationStatus.GuestReservedBit, code: (ulong)rules.Policy.ReservedBit(needed));
            case WalkStatus.TableReadOnly:
                stage.FailTableWrite(walk.Table + TFormat.EntryOffset(address, walk.Level));
                break;
        }

        return FaultOf(ref stage, 0, isTable: true);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Translation Deny(GuestRules rules, AccessRights needed, AccessRights rights, ulong leaf)
        => Translation.Fault(
            TranslationStatus.GuestProtection, code: (ulong)rules.Policy.Protection(needed, rights, X64FourLevel.ProtectionKey(leaf)));
}
