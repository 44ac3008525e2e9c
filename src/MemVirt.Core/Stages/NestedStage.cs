using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.MemoryTypes;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Stages;

/// <summary>EPT or NPT: a walk of second-stage tables, behind a nested TLB and paging-structure caches of its own where it has them.</summary>
/// <param name="reader">Reads entries.</param>
/// <param name="root">The host-physical address of the root table: EPTP or nested CR3 without their low bits.</param>
/// <param name="context">The tag of the caches' entries: EPTP or ASID.</param>
/// <param name="nestedTlb">A nested TLB, or null.</param>
/// <param name="caches">Paging-structure caches of the second stage, or null.</param>
/// <param name="rules">How entries and accesses are judged; null for every feature and no optional control.</param>
/// <param name="log">A page-modification log, or null; an <see cref="ArgumentException"/> but for EPT.</param>
public struct NestedStage<TFormat, TReader>(
    TReader reader,
    ulong root,
    uint context,
    NestedTlb? nestedTlb = null,
    PagingStructureCaches? caches = null,
    SecondStageRules? rules = null,
    PageModificationLog? log = null) : ISecondStage
    where TFormat : struct, IPageTableFormat
    where TReader : struct, ITableReader
{
    private const ulong PageOffsetMask = 0xFFF;
    private readonly SecondStageRules _rules = rules ?? SecondStageRules.DefaultOf<TFormat>();
    private TReader _reader = reader;
    private SecondStageTables _tables = new(LogOf(log));
    private int _leafAttributes;

    /// <summary>The root table; a change, as by EPTP switching (VMFUNC leaf 0), goes with a change of <see cref="Context"/>.</summary>
    public ulong Root { readonly get; set; } = root;

    /// <summary>The tag of the caches' entries: EPTP or ASID.</summary>
    public uint Context { readonly get; set; } = context;

    /// <inheritdoc/>
    public SecondStageFault Fault { readonly get; private set; }

    /// <inheritdoc/>
    public bool LeafDirty { readonly get; private set; }

    /// <inheritdoc/>
    public ulong Locate(ulong entryAddress, out bool isWritable)
    {
        ulong hostEntry = Access(entryAddress, _rules.TableAccess | AccessRights.User, isTable: true, out _, out AccessRights rights);
        isWritable = (rights & AccessRights.Write) != 0;
        return hostEntry;
    }

    /// <inheritdoc/>
    public ulong Translate(ulong gpa, AccessRights needed, out int leafLevel, out AccessRights rights)
        => Access(gpa, needed, isTable: false, out leafLevel, out rights);

    /// <inheritdoc/>
    public void FailTableWrite(ulong entryAddress)
        => Access(entryAddress, AccessRights.Write | AccessRights.User, isTable: true, out _, out _);

    /// <inheritdoc/>
    public readonly ulong DescribeLinearAddress(AccessRights guestRights, AccessRights needed)
        => Fault.Code == 0 || Fault.Status == TranslationStatus.SubPagePermissionEvent
            ? 0
            : _rules.DescribeLinearAddress(guestRights, needed);

    /// <inheritdoc/>
    public readonly MemoryType MemoryTypeOf(MemoryTypeRules types, MemoryType page, ulong hpa)
        => TFormat.IsExtendedPageTable
            ? EptMemoryType.Effective(page, (ulong)_leafAttributes << EptFormat.MemoryTypeShift, types.CacheDisable)
            : NestedMemoryType.Effective(
                page, types.HostPageAttributes.TypeAt(_leafAttributes), types.Mtrrs.TypeOf(hpa), types.CacheDisable);

    /// <inheritdoc/>
    public readonly void Invalidate()
    {
        nestedTlb?.Clear();
        caches?.Clear();
    }

    private ulong Access(ulong gpa, AccessRights needed, bool isTable, out int leafLevel, out AccessRights rights)
    {
        bool isBare = nestedTlb is null && caches is null && gpa >> TableGeometry.ShiftOf(TFormat.Levels) == 0;
        if (!isBare)
        {
            return AccessThroughCaches(gpa, needed, isTable, out leafLevel, out rights);
        }

        HostTables tables = default;
        if (RadixWalk<TFormat, HostTables, TReader>.TryWalkPlain(
                ref tables, ref _reader, TableKind.SecondStage, _rules.Entries, Root, gpa, out WalkPoint at))
        {
            AccessRights walked = RadixWalk<TFormat, HostTables, TReader>.RightsAt(in at);
            AccessRights effective = _rules.Effective(walked, (needed & AccessRights.UserExecute) != 0);
            ulong dirtyFlag = _rules.Entries.DirtyBit;
            bool isDirty = (at.Entry & dirtyFlag) == dirtyFlag;
            if ((KindOf(needed) & ~effective) == 0 && (isDirty || (needed & AccessRights.Write) == 0))
            {
                (leafLevel, rights) = (at.Level, effective);
                if (!isTable)
                {
                    // Asked for of the final address only.
                    LeafDirty = isDirty;
                    _leafAttributes = AttributesOf(at.Entry, at.Level);
                }

                return TFormat.PageAddress(at.Entry, at.Level) | (gpa & ((1UL << TFormat.ShiftOf(at.Level)) - 1));
            }
        }

        return WalkAll(gpa, needed, isTable, at with { IsWritable = _tables.AreWritable }, isBegun: true, out leafLevel, out rights);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ulong AccessThroughCaches(ulong gpa, AccessRights needed, bool isTable, out int leafLevel, out AccessRights rights)
    {
        if (nestedTlb is not null && nestedTlb.TryFind(gpa, Context, out NestedTlbEntry entry))
        {
            AccessRights effective = _rules.Effective(entry.Rights, (needed & AccessRights.UserExecute) != 0);
            if ((KindOf(needed) & ~effective) == 0 && (entry.IsDirty || (needed & AccessRights.Write) == 0))
            {
                (leafLevel, rights) = (entry.LeafLevel, effective);
                LeafDirty = entry.IsDirty;
                _leafAttributes = entry.Attributes;
                return entry.Frame | (gpa & PageOffsetMask);
            }
        }

        if (gpa >> TableGeometry.ShiftOf(TFormat.Levels) != 0)
        {
            (leafLevel, rights) = (0, AccessRights.None);
            FailBeyondReach(gpa, needed, isTable);
            return ITableLocator.Unreachable;
        }

        return WalkAll(gpa, needed, isTable, default, isBegun: false, out leafLevel, out rights);
    }

    /// <summary>The walk with all that may come up, from the root or from where a plain one stopped.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ulong WalkAll(
        ulong gpa, AccessRights needed, bool isTable, WalkPoint at, bool isBegun, out int leafLevel, out AccessRights rights)
    {
        bool isStore = (needed & AccessRights.Write) != 0;
        while (true)
        {
            WalkResult walk = isBegun
                ? RadixWalk<TFormat, SecondStageTables, TReader>.Continue(
                    ref _tables, ref _reader, TableKind.SecondStage, _rules.Entries, gpa, at)
                : RadixWalk<TFormat, SecondStageTables, TReader>.Walk(
                    ref _tables, ref _reader, TableKind.SecondStage, _rules.Entries, caches, Context, Root, gpa);
            isBegun = false;
            leafLevel = walk.Level;
            rights = _rules.Effective(walk.Rights, (needed & AccessRights.UserExecute) != 0);
            ulong hpa = TFormat.PageAddress(walk.Entry, leafLevel) | (gpa & ((1UL << TFormat.ShiftOf(leafLevel)) - 1));
            bool isAllowed = walk.Status == WalkStatus.Leaf && (KindOf(needed) & ~rights) == 0;
            if (!isAllowed && !MayWriteSubPage(gpa, in walk, needed, isTable))
            {
                return ITableLocator.Unreachable;
            }

            ulong dirtyFlag = _rules.Entries.DirtyBit;
            ulong flags = (_rules.Entries.AccessedBit | (isStore ? dirtyFlag : 0)) & ~walk.Entry;
            if (flags == 0 || TrySetLeafFlags(gpa, in walk, flags))
            {
                LeafDirty = ((walk.Entry | flags) & dirtyFlag) == dirtyFlag && isAllowed;
                _leafAttributes = AttributesOf(walk.Entry, leafLevel);
                nestedTlb?.Fill(gpa, Context, hpa, leafLevel, walk.Rights, LeafDirty, _leafAttributes);
                return hpa;
            }

            if (log is { IsFull: true })
            {
                Fail(gpa, TranslationStatus.PageModificationLogFull);
                return ITableLocator.Unreachable;
            }
        }
    }

    private static PageModificationLog? LogOf(PageModificationLog? log)
    {
        if (log is not null && !TFormat.IsExtendedPageTable)
        {
            Throw.BadGeometry("A page-modification log belongs to EPT: nested paging has none.");
        }

        return log;
    }

    /// <summary>What of the leaf decides memory types: EPT's type and IPAT, or the index into the host's PAT.</summary>
    private static int AttributesOf(ulong leaf, int level)
        => TFormat.IsExtendedPageTable
            ? (int)(leaf >> EptFormat.MemoryTypeShift) & 15
            : PageAttributeBits.IndexOfPage(leaf, largePage: level > 0);

    /// <summary>The one right that decides: which of the two execute rights binds a fetch depends on CPL.</summary>
    private static AccessRights KindOf(AccessRights needed)
    {
        const AccessRights UserFetch = AccessRights.Execute | AccessRights.User;
        return (needed & UserFetch) == UserFetch
            ? AccessRights.UserExecute
            : needed & (AccessRights.Read | AccessRights.Write | AccessRights.Execute);
    }

    /// <summary>Sets flags of the leaf, and logs the page where it becomes dirty; false where the log is full or the entry has changed.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TrySetLeafFlags(ulong gpa, in WalkResult walk, ulong flags)
    {
        if (log is { IsFull: true }
            || !TableEntry<TFormat, TReader>.TrySetFlags(
                ref _reader, walk.EntryAddress, TableKind.SecondStage, walk.Level, walk.Entry, flags))
        {
            return false;
        }

        if (log is not null && (flags & _rules.Entries.DirtyBit) != 0)
        {
            log.Add(gpa);
        }

        return true;
    }

    /// <summary>Whether sub-page permissions allow a write that the walk does not; else the fault is recorded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool MayWriteSubPage(ulong gpa, in WalkResult walk, AccessRights needed, bool isTable)
    {
        bool isPresent = walk.Status != WalkStatus.NotPresent;
        ulong code = _rules.FaultCode(needed, walk.Rights, isTable, isPresent, isReserved: walk.Status == WalkStatus.Reserved);
        bool isConvertible = TFormat.IsExtendedPageTable && (walk.Entry & EptFormat.SuppressVirtualizationException) == 0;
        switch (walk.Status)
        {
            case WalkStatus.NotPresent:
                return Fail(gpa, TranslationStatus.SecondStageNotPresent, code, isConvertible);
            case WalkStatus.Reserved:
                return Fail(gpa, TranslationStatus.SecondStageMisconfigured, TFormat.IsExtendedPageTable ? 0 : code);
            case WalkStatus.TableReadOnly:
                return Fail(gpa, TranslationStatus.PageModificationLogFull);
        }

        if (_rules.SubPageTableRoot is { } subPages && TFormat.IsExtendedPageTable && !isTable && (needed & AccessRights.Write) != 0)
        {
            switch (SubPagePermissions.Look<TFormat, TReader>(ref _reader, _rules.Entries, subPages, Root, gpa))
            {
                case SubPageAnswer.Writable:
                    return true;
                case SubPageAnswer.Missing:
                    return Fail(gpa, TranslationStatus.SubPagePermissionEvent, SubPagePermissions.MissingCode);
                case SubPageAnswer.Misconfigured:
                    return Fail(gpa, TranslationStatus.SubPagePermissionEvent);
            }
        }

        return Fail(gpa, TranslationStatus.SecondStageProtection, code, isConvertible);
    }

    /// <summary>An address of more bits than the tables translate has no entry at all (Intel SDM Vol. 3C §28.3.2).</summary>
    private bool FailBeyondReach(ulong gpa, AccessRights needed, bool isTable)
        => Fail(
            gpa,
            TranslationStatus.SecondStageNotPresent,
            _rules.FaultCode(needed, AccessRights.None, isTable, isPresent: false, isReserved: false));

    /// <summary>A fault forgets what is cached of its address, so that it does not recur once the tables are mended (SDM §28.4.3.1).</summary>
    private bool Fail(ulong gpa, TranslationStatus status, ulong code = 0, bool isConvertible = false)
    {
        nestedTlb?.Drop(gpa, Context);
        caches?.Drop(gpa, Context);
        Fault = new SecondStageFault(status, gpa, code, isConvertible);
        return false;
    }
}
