using MemVirt.Core.Access;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Sources;

/// <summary>
/// Shadow paging as a source: the shadow tables are walked as hardware walks them; where they fault, the pager asks the guest's
/// own tables and fills them in. A fault that remains is the guest's own, or a write to a protected guest table
/// (<see cref="TranslationStatus.SecondStageProtection"/>), which the VMM emulates.
/// </summary>
public struct ShadowSource<TReader>(ShadowPager pager, TReader reader, PagingStructureCaches? caches = null) : ITranslationSource
    where TReader : struct, ITableReader
{
    private TwoStageSource<X64FourLevel, IdentityStage, TReader> _hardware
        = new(default, reader, TableKind.Shadow, caches, pager.Rules.OfShadowTables());

    /// <summary>What the hardware walks while the guest has 32-bit or PAE paging: PAE tables.</summary>
    private TwoStageSource<PaeFormat, IdentityStage, TReader> _hardwarePae
        = new(default, reader, TableKind.Shadow, caches: null, pager.Rules.OfShadowTables());

    /// <inheritdoc/>
    public uint Context
    {
        readonly get => _hardware.Context;
        set => _hardware.Context = value;
    }

    /// <inheritdoc/>
    public readonly bool HasTableCaches => caches is not null;

    /// <inheritdoc/>
    public readonly AccessPolicy Policy => _hardware.Policy;

    /// <inheritdoc/>
    public readonly int LinearAddressBits => _hardware.LinearAddressBits;

    /// <inheritdoc/>
    public readonly void ClearTables() => _hardware.ClearTables();

    /// <inheritdoc/>
    public Translation Translate(ulong address, AccessRights needed)
    {
        bool flushed = false;
        while (true)
        {
            Translation translation = Walk(address, needed);
            bool resolved = translation.Status != TranslationStatus.Ok
                            && TryResolve(address, needed, ref translation, ref flushed);
            if (!resolved)
            {
                if (pager.SplitsPages && translation.Status == TranslationStatus.Ok)
                {
                    // The shadow tables do not say which of their leaves are pieces of one guest page.
                    translation = translation.AsPiece();
                }

                return flushed ? translation.AfterFlush() : translation;
            }
        }
    }

    /// <inheritdoc/>
    public bool Invalidate(in TlbInvalidation invalidation, uint context)
    {
        bool flush = false;
        if (invalidation.Scope == InvalidationScope.Address)
        {
            pager.SynchroniseAddress(invalidation.Address.Value);
            if (invalidation.IncludesGlobals && pager.SplitsPages)
            {
                // A global page of the guest may be a table of pieces here, held for every PCID.
                caches?.Clear();
            }
        }
        else if (invalidation.Scope == InvalidationScope.AddressOfVirtualProcessor)
        {
            pager.SynchroniseAddress(invalidation.Address.Value);
        }
        else
        {
            flush = invalidation.Scope == InvalidationScope.Context
                ? pager.SynchroniseContext(invalidation.ProcessContext) : pager.Synchronise();
        }

        return _hardware.Invalidate(in invalidation, context) || flush;
    }

    private Translation Walk(ulong address, AccessRights needed)
    {
        if (pager.Rules.Mode == PagingMode.FourLevel)
        {
            _hardware.Root = pager.ShadowRoot;
            return _hardware.Translate(address, needed);
        }

        _hardwarePae.Root = pager.ShadowRootOf(address);
        return _hardwarePae.Root != 0 ? _hardwarePae.Translate(address, needed) : Translation.Fault(TranslationStatus.GuestNotPresent);
    }

    /// <summary>Lets the pager fill the shadow tables in; false where the fault is not the shadow's, with what it is instead.</summary>
    private readonly bool TryResolve(ulong address, AccessRights needed, ref Translation fault, ref bool flushed)
    {
        bool notPresent = fault.Status == TranslationStatus.GuestNotPresent;
        ShadowFaultOutcome outcome = pager.HandleFault(address, needed, notPresent, out Translation guestFault);
        if (outcome.FlushAll)
        {
            flushed = true;
            caches?.Clear();
        }

        switch (outcome.Kind)
        {
            case ShadowFaultKind.Guest:
                fault = guestFault;
                return false;
            case ShadowFaultKind.Mmio:
                fault = Translation.Fault(TranslationStatus.SecondStageNotPresent, pager.LastFaultAddress);
                return false;
            case ShadowFaultKind.ProtectedTable:
                fault = Translation.Fault(TranslationStatus.SecondStageProtection, pager.LastFaultAddress);
                return false;
        }

        // What the caches hold of the address led to the fault.
        caches?.Drop(address, Context);
        return true;
    }
}
