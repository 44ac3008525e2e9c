using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Sources;

/// <summary>
/// Guest paging of one format over a second stage; with <see cref="IdentityStage"/> it is native paging. For a guest whose registers
/// choose the format, see <see cref="PagingSource{TStage, TReader}"/>.
/// </summary>
public struct TwoStageSource<TFormat, TStage, TReader>(
    TStage stage, TReader reader, TableKind kind = TableKind.Guest, PagingStructureCaches? caches = null, GuestRules? rules = null)
    : ITranslationSource
    where TFormat : struct, IPageTableFormat
    where TStage : struct, ISecondStage
    where TReader : struct, ITableReader
{
    private readonly GuestRules _rules = rules ?? GuestRules.DefaultOf<TFormat>();
    private TStage _stage = stage;
    private TReader _reader = reader;

    /// <summary>The root table's address in the guest's space: CR3 without its low bits.</summary>
    public ulong Root { readonly get; set; }

    /// <summary>The context that the paging-structure caches' entries are tagged with: VPID or ASID, and PCID.</summary>
    public uint Context { readonly get; set; }

    /// <inheritdoc/>
    public readonly bool HasTableCaches => caches is not null;

    /// <inheritdoc/>
    public readonly AccessPolicy Policy => _rules.Policy;

    /// <inheritdoc/>
    public readonly int LinearAddressBits => TFormat.ShiftOf(TFormat.Levels);

    /// <inheritdoc/>
    public Translation Translate(ulong address, AccessRights needed)
        => GuestWalk<TFormat, TStage, TReader>.Translate(
            ref _stage, ref _reader, kind, _rules, caches, Context, Root, address, needed);

    /// <inheritdoc/>
    public readonly void ClearTables() => caches?.Clear();

    /// <inheritdoc/>
    public bool Invalidate(in TlbInvalidation invalidation, uint context)
        => SourceInvalidation.Apply(in invalidation, context, caches, ref _stage);
}
