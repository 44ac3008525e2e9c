using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Sources;

namespace MemVirt.Core.Mapping;

/// <summary>
/// What processors may still hold of the state before an edit of page tables, and the edit's status. The edit is finished only
/// when this has been consumed: by <see cref="Complete"/>, <see cref="TryComplete"/>, <see cref="Apply"/> or
/// <see cref="LeaveStale"/>. To consume that of an edit that failed throws, so that a failure cannot pass unseen; look at
/// <see cref="Status"/> first where it is expected.
/// </summary>
/// <remarks>
/// Everywhere, <c>context</c> is the one context (VPID or ASID, PCID) that uses the edited tables. Leave it out where the tables
/// are a second stage, or where several contexts share them: then everything is forgotten (INVEPT; Intel SDM Vol. 3C §28.4.3.4).
/// </remarks>
[MustUse]
public readonly struct PendingInvalidation
{
    /// <summary>
    /// More pages than these are forgotten together with all of their VPID or ASID: its global pages may be among them.
    /// </summary>
    public const int MaxPagesOneByOne = 32;

    private readonly ReusableTables _removed;
    private readonly byte _smallestShift;
    private readonly byte _addressBits;

    internal PendingInvalidation(AddressRange range, byte smallestShift, byte addressBits, bool isStructural, ReusableTables removed)
    {
        (Range, _smallestShift, _addressBits, IsStructural, _removed) = (range, smallestShift, addressBits, isStructural, removed);
        IsNeeded = true;
    }

    private PendingInvalidation(EditStatus status, ulong address) => (Status, Range) = (status, new AddressRange(address, 0));

    /// <summary>How the edit ended; unless <see cref="EditStatus.Done"/>, nothing was changed and nothing is pending.</summary>
    public EditStatus Status { get; }

    /// <summary>The addresses whose translations changed; where the edit failed, it starts at the address in the way.</summary>
    public AddressRange Range { get; }

    /// <summary>Whether anything must be forgotten; false where entries were only added or granted more.</summary>
    public bool IsNeeded { get; }

    /// <summary>Whether a table came or went, so that paging-structure caches are concerned too.</summary>
    public bool IsStructural { get; }

    /// <summary>Tables the edit removed; an acknowledged invalidation hands them back.</summary>
    public int RemovedTables => _removed.Count;

    /// <summary>Nothing to forget: an edit that was made and weakened nothing.</summary>
    public static PendingInvalidation Nothing => default;

    internal static PendingInvalidation Failed(EditStatus status, ulong address) => new(status, address);

    /// <summary>Tells every processor of the bus and waits, without limit, until all have acknowledged.</summary>
    /// <returns>The tables that may be used again.</returns>
    /// <exception cref="InvalidOperationException">The edit failed.</exception>
    public ReusableTables Complete(InvalidationBus bus, PagingContext? context = null)
    {
        bool acknowledged = TryComplete(bus, Timeout.InfiniteTimeSpan, out ReusableTables tables, context);
        System.Diagnostics.Debug.Assert(acknowledged, "A wait without limit ends only with the acknowledgement.");
        return tables;
    }

    /// <summary>
    /// Tells every processor of the bus and waits until all have acknowledged; false where that took longer than
    /// <paramref name="timeout"/> or was cancelled: call it again, for nothing is forgotten for certain and no table is free.
    /// </summary>
    /// <exception cref="InvalidOperationException">The edit failed.</exception>
    public bool TryComplete(
        InvalidationBus bus,
        TimeSpan timeout,
        out ReusableTables tables,
        PagingContext? context = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(bus);
        RequireDone();
        tables = default;
        if (IsNeeded && !bus.WaitForAcknowledgement(SendTo(bus, context), timeout, cancellation))
        {
            return false;
        }

        tables = _removed;
        return true;
    }

    /// <summary>Makes one MMU forget: for a system of a single virtual processor, on its thread.</summary>
    /// <returns>The tables that may be used again.</returns>
    /// <exception cref="InvalidOperationException">The edit failed.</exception>
    public ReusableTables Apply<TSource>(Mmu<TSource> mmu, PagingContext? context = null)
        where TSource : struct, ITranslationSource
    {
        ArgumentNullException.ThrowIfNull(mmu);
        RequireDone();
        for (int part = 0; part < Parts(context); part++)
        {
            mmu.Invalidate(Part(context, part));
        }

        return _removed;
    }

    /// <summary>
    /// Leaves what is cached as it is, for a stated reason: no processor runs yet, or a wider invalidation follows. Removed
    /// tables
    /// are not handed back, for a processor may still read them.
    /// </summary>
    /// <exception cref="ArgumentException">No reason is given.</exception>
    /// <exception cref="InvalidOperationException">The edit failed.</exception>
    public void LeaveStale(string reason)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        RequireDone();
    }

    /// <summary>Tells every processor and returns the last message's ticket, which covers the ones before it.</summary>
    private InvalidationTicket SendTo(InvalidationBus bus, PagingContext? context)
    {
        InvalidationTicket ticket = default;
        for (int part = 0; part < Parts(context); part++)
        {
            ticket = bus.Send(Part(context, part));
        }

        return ticket;
    }

    private int Parts(PagingContext? context)
        => !IsNeeded ? 0 : ByPage(context) ? (int)((Range.LengthBytes + PageBytes - 1) / PageBytes) : 1;

    private TlbInvalidation Part(PagingContext? context, int part)
        => context is not { } one ? TlbInvalidation.All
            : ByPage(context) ? TlbInvalidation.OfAddress(
                one.VirtualProcessor, one.ProcessContext, LinearAddress(Range.Start + ((ulong)part * PageBytes)))
            : TlbInvalidation.OfVirtualProcessor(one.VirtualProcessor);

    /// <summary>Tables translate the lower bits of a linear address; those above repeat the highest of them in long mode.</summary>
    private GuestVirtualAddress LinearAddress(ulong address)
    {
        int unused = _addressBits < GuestVirtualAddress.FourLevelBits ? 0 : 64 - _addressBits;
        return GuestVirtualAddress.FromValid((ulong)((long)(address << unused) >> unused));
    }

    private ulong PageBytes => 1UL << _smallestShift;

    private bool ByPage(PagingContext? context)
        => context is not null && !IsStructural && Range.LengthBytes <= MaxPagesOneByOne * PageBytes;

    private void RequireDone()
    {
        if (Status != EditStatus.Done)
        {
            EditErrors.Failed(Status, Range.Start);
        }
    }
}
