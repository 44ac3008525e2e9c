using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Sources;
using MemVirt.Core.Tlb;

namespace MemVirt.Core;

/// <summary>
/// A memory-management unit: a direct-mapped front, a tagged TLB, and behind them a source that walks. One instance serves one
/// virtual processor and is not safe for concurrent use. After construction nothing allocates.
/// </summary>
/// <typeparam name="TSource">Native, nested or shadow translation.</typeparam>
public sealed class Mmu<TSource>
    where TSource : struct, ITranslationSource
{
    private readonly DirectTlb _front = new();
    private readonly TaggedTlb _tlb;
    private readonly ContextTable _contexts = new();
    private TSource _source;
    private ulong _frontPrefix;
    private AccessRights _privilege;
    private PagingContext _context;
    private uint _contextNumber;
    private bool _holdsPieces;

    /// <summary>An MMU over a source, in context (0, 0), supervisor mode.</summary>
    /// <param name="source">What answers when the TLB does not.</param>
    /// <param name="tlbEntries">Entries of the tagged TLB; a multiple of <paramref name="tlbWays"/>.</param>
    /// <param name="tlbWays">Ways of a set.</param>
    /// <exception cref="ArgumentException">The entries cannot be split into sets.</exception>
    public Mmu(TSource source, int tlbEntries = 1536, int tlbWays = 8)
    {
        _source = source;
        _tlb = new TaggedTlb(tlbEntries, tlbWays);
        SwitchContext(default);
    }

    /// <summary>The source, to set its root.</summary>
    public ref TSource Source => ref _source;

    /// <summary>The current context.</summary>
    public PagingContext Context => _context;

    /// <summary>Translations that a walk completed.</summary>
    public long Walks { get; private set; }

    /// <summary>
    /// Translates an address. On success <paramref name="hpa"/> is the host-physical address; else the result is the fault, and
    /// nothing has changed but accessed bits. Cost: one compare on a hit of the front.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // the hit path: bench MmuBenchmarks
    public TranslationStatus Translate(GuestVirtualAddress gva, MemoryAccess access, out HostPhysicalAddress hpa)
    {
        ulong tag = DirectTlb.TagOf(gva.PageNumber(PageSize.Size4K), _frontPrefix);
        if (_front.TryFind(tag, access, out ulong hostPage))
        {
            hpa = HostPhysicalAddress.FromValid(hostPage | gva.OffsetIn(PageSize.Size4K));
            return TranslationStatus.Ok;
        }

        Translation translation = TranslateBeyondFront(gva, access);
        hpa = HostPhysicalAddress.FromValid(translation.HostPage | gva.OffsetIn(PageSize.Size4K));
        return translation.Status;
    }

    /// <summary>Translates past the front, with all there is to say of a fault. On success the page is the 4 KiB piece accessed.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public Translation TranslateBeyondFront(GuestVirtualAddress gva, MemoryAccess access)
    {
        ulong address = gva.Value & AddressBits.Mask48;
        AccessRights needed = (AccessRights)access | _privilege;
        if (_tlb.TryFind(address, _contextNumber, out ulong payload))
        {
            Translation cached = Translation.FromPayload(payload);
            bool storeMustWalk = access == MemoryAccess.Write && !cached.StoreOk;
            if (!storeMustWalk && !_source.Policy.Denies(needed, cached.RightsOf(_context.User), cached.ProtectionKey))
            {
                return FillFront(address, cached);
            }

            // A protection fault is reported from the tables, never from the TLB: they may have been relaxed since.
            _tlb.Drop(address, _contextNumber);
        }

        Translation walked = _source.Translate(address, needed);
        if (walked.AsksForFlush)
        {
            _contexts.ForgetAll();
            RefreshContext();
        }

        if (walked.Status != TranslationStatus.Ok)
        {
            // A page fault forgets what is cached of its address, so that it does not recur once the tables grant the access
            // (Intel SDM Vol. 3A §4.10.4.1).
            _source.Invalidate(
                TlbInvalidation.OfAddress(_context.VirtualProcessor, _context.ProcessContext, gva), _contextNumber);
            _front.Drop(address >> (int)PageSize.Size4K);
            return walked;
        }

        Walks++;
        _holdsPieces |= walked.IsPiece;
        _tlb.Insert(address, walked.Size, _contextNumber, walked.Payload);
        return FillFront(address, walked);
    }

    /// <summary>Changes the context or the privilege; forgets nothing (MOV CR3 with bit 63 set).</summary>
    public void SwitchContext(PagingContext context)
    {
        if (context.ProcessContext > PagingContext.MaxProcessContext)
        {
            Throw.ContextOutOfRange("PCID", context.ProcessContext, PagingContext.MaxProcessContext);
        }

        _context = context;
        _privilege = context.User ? AccessRights.User : AccessRights.None;
        RefreshContext();
    }

    /// <summary>Forgets what an invalidation names: the one place where that happens.</summary>
    public void Invalidate(in TlbInvalidation invalidation)
    {
        ushort virtualProcessor = invalidation.VirtualProcessor;
        uint number = invalidation.Scope <= InvalidationScope.Context
            ? _contexts.NumberOf(virtualProcessor, invalidation.ProcessContext)
            : 0;
        _source.Invalidate(in invalidation, number);
        switch (invalidation.Scope)
        {
            case InvalidationScope.Address:
                if (_holdsPieces)
                {
                    // The address's page may stand in pieces that only a pass over the TLB would find: forget the context.
                    _contexts.Forget(virtualProcessor, invalidation.ProcessContext);
                    break;
                }

                ulong address = invalidation.Address.Value & AddressBits.Mask48;
                _tlb.Drop(address, number);
                _front.DropPagesOf(address);
                break;
            case InvalidationScope.Context:
                _contexts.Forget(virtualProcessor, invalidation.ProcessContext);
                break;
            case InvalidationScope.VirtualProcessor:
                _contexts.ForgetVirtualProcessor(virtualProcessor);
                break;
            default:
                _contexts.ForgetAll();
                break;
        }

        RefreshContext();
    }

    private void RefreshContext()
    {
        _contextNumber = _contexts.NumberOf(_context.VirtualProcessor, _context.ProcessContext);
        if (_contexts.Restarted)
        {
            _tlb.Clear();
            _front.Clear();
            _source.Invalidate(TlbInvalidation.All, 0);
            _contexts.AcknowledgeRestart();
        }

        _source.Context = _contextNumber;
        _frontPrefix = DirectTlb.PrefixOf(_contextNumber, _context.User);
    }

    private Translation FillFront(ulong address, Translation translation)
    {
        ulong piece = translation.HostPage | (address & (translation.Size.SizeBytes() - 1) & ~0xFFFUL);
        AccessRights fast = FastRights(translation);
        _front.Fill(DirectTlb.TagOf(address >> (int)PageSize.Size4K, _frontPrefix), piece, fast, translation.Size > PageSize.Size4K);
        return translation.AtPiece(piece);
    }

    /// <summary>The accesses that need nothing but the translation: allowed in this mode, and a store only where no flag is to be set.</summary>
    private AccessRights FastRights(Translation translation)
    {
        AccessRights rights = translation.RightsOf(_context.User);
        AccessPolicy policy = _source.Policy;
        int key = translation.ProtectionKey;
        AccessRights fast = policy.Denies(AccessRights.Read | _privilege, rights, key) ? AccessRights.None : AccessRights.Read;
        fast |= !translation.StoreOk || policy.Denies(AccessRights.Write | _privilege, rights, key)
            ? AccessRights.None : AccessRights.Write;
        fast |= policy.Denies(AccessRights.Execute | _privilege, rights, key) ? AccessRights.None : AccessRights.Execute;
        return fast;
    }
}
