using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Diagnostics;
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
public sealed partial class Mmu<TSource> : Mmu
    where TSource : struct, ITranslationSource
{
    private readonly TaggedTlb _tlb;
    private readonly ContextTable _contexts = new();
    private TSource _source;
    private AccessRights _privilege;
    private ulong _privilegePrefix;
    private PagingContext _context;
    private ContextKey _key;
    private uint _contextNumber;
    private uint _globalNumber;
    private bool _holdsPieces;
    private bool _holdsGlobals;
    private bool _severalSecondStages;
    private MmuMeter? _meter;
    private long _walks;

    // Whether somebody listened to the meter at the last walk or invalidation.
    private bool _isMetered;

    /// <summary>An MMU over a source, in context (0, 0), supervisor mode.</summary>
    /// <param name="source">What answers when the TLB does not.</param>
    /// <param name="tlbEntries">Entries of the tagged TLB; a multiple of <paramref name="tlbWays"/>.</param>
    /// <param name="tlbWays">Ways of a set.</param>
    /// <exception cref="ArgumentException">The entries cannot be split into sets.</exception>
    public Mmu(TSource source, int tlbEntries = 2048, int tlbWays = 8)
    {
        _source = source;
        _tlb = new TaggedTlb(tlbEntries, tlbWays);
        SwitchContext(default);
    }

    /// <summary>The source, to set its root.</summary>
    public ref TSource Source => ref _source;

    /// <inheritdoc/>
    public override PagingContext Context => _context;

    /// <summary>Who counts; null, as at first, for nobody. To set it forgets the front.</summary>
    public MmuMeter? Meter
    {
        get => _meter;
        set
        {
            _meter = value;
            _isMetered = value is not null && MmuMeter.IsListened;
            _front.Clear();
        }
    }

    /// <inheritdoc/>
    public override long Walks => _walks;

    /// <summary>
    /// Translates addresses in turn up to the first that faults, for accesses of one kind. Cost of a hit of the front: one compare.
    /// </summary>
    /// <param name="gvas">The linear addresses.</param>
    /// <param name="access">What every access does.</param>
    /// <param name="hpas">Where the host-physical addresses go, as many at least.</param>
    /// <param name="fault">Where the result is less than all: why the next address faults.</param>
    /// <returns>How many were translated.</returns>
    /// <exception cref="ArgumentException">There is no room for the answers.</exception>
    public int Translate(ReadOnlySpan<GuestVirtualAddress> gvas, MemoryAccess access, Span<HostPhysicalAddress> hpas, out Translation fault)
    {
        if (hpas.Length < gvas.Length)
        {
            Throw.BadGeometry($"There is room for {hpas.Length} of {gvas.Length} answers.");
        }

        fault = default;
        int done = 0;
        while (true)
        {
            done += _front.FindAll(gvas[done..], access, _frontPrefix, hpas[done..]);
            if (done == gvas.Length)
            {
                return done;
            }

            Translation translation = TranslateBeyondFront(gvas[done], access);
            if (translation.Status != TranslationStatus.Ok)
            {
                fault = translation;
                return done;
            }

            hpas[done] = HostPhysicalAddress.FromValid(translation.HostPage | gvas[done].OffsetIn(PageSize.Size4K));
            done++;
        }
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public override Translation TranslateBeyondFront(GuestVirtualAddress gva, MemoryAccess access)
    {
        ulong address = gva.Value & AddressBits.Mask57;
        Translation translation = Lookup(address, (AccessRights)access | _privilege);
        if (translation.Status != TranslationStatus.Ok)
        {
            return translation;
        }

        // What enters the front is not seen again, and so not counted.
        return _isMetered ? translation.AtPiece(PieceOf(address, translation)) : FillFront(address, translation);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public override Translation TranslateAs(GuestVirtualAddress gva, AccessRights needed)
    {
        ulong address = gva.Value & AddressBits.Mask57;
        Translation translation = Lookup(address, needed);
        return translation.Status == TranslationStatus.Ok ? translation.AtPiece(PieceOf(address, translation)) : translation;
    }

    /// <inheritdoc/>
    public override void PolicyChanged() => _front.Clear();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void CountHit()
    {
        if (NoticeListener())
        {
            _meter!.CountHit();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void CountMiss(TranslationStatus status)
    {
        if (NoticeListener())
        {
            _meter!.CountMiss(status);
        }
    }

    /// <summary>Whether somebody listens to the meter now. Where that is new, what stands in the front goes: it would not be seen.</summary>
    private bool NoticeListener()
    {
        bool isListened = MmuMeter.IsListened;
        if (isListened && !_isMetered)
        {
            _front.Clear();
        }

        return _isMetered = isListened;
    }

    private Translation Lookup(ulong address, AccessRights needed)
    {
        if (TryFindCached(address, out Translation cached))
        {
            bool storeMustWalk = (needed & AccessRights.Write) != 0 && !cached.StoreOk;
            bool isShadowStack = (needed & AccessRights.ShadowStack) != 0;
            bool isUser = (needed & AccessRights.User) != 0;
            if (!storeMustWalk && !isShadowStack && !_source.Policy.Denies(needed, cached.RightsOf(isUser), cached.ProtectionKey))
            {
                if (_isMetered)
                {
                    CountHit();
                }

                return cached;
            }

            // A protection fault is reported from the tables, never from the TLB: they may have been relaxed since.
            DropCached(address);
        }

        Translation walked = WalkAndFill(address, needed);
        if (_meter is not null)
        {
            CountMiss(walked.Status);
        }

        return walked;
    }

    private bool TryFindCached(ulong address, out Translation cached)
    {
        bool found = _tlb.TryFind(address, _contextNumber, out ulong payload)
                     || (_holdsGlobals && _tlb.TryFind(address, _globalNumber, out payload));
        cached = Translation.FromPayload(payload);
        return found;
    }

    private void DropCached(ulong address)
    {
        _tlb.Drop(address, _contextNumber);
        if (_holdsGlobals)
        {
            _tlb.Drop(address, _globalNumber);
        }
    }

    private Translation WalkAndFill(ulong address, AccessRights needed)
    {
        int unused = 64 - _source.LinearAddressBits;
        ulong linear = (ulong)((long)(address << (64 - AddressBits.LinearBits)) >> (64 - AddressBits.LinearBits));
        if ((ulong)((long)(address << unused) >> unused) != linear)
        {
            return Translation.Fault(TranslationStatus.NotCanonical);
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
            TlbInvalidation ofAddress = TlbInvalidation.OfAddress(
                _context.VirtualProcessor, _context.ProcessContext, GuestVirtualAddress.FromValid(linear));
            _source.Invalidate(in ofAddress, _source.Context);
            DropCached(address);
            _front.Drop(address >> (int)PageSize.Size4K);
            return walked;
        }

        _walks++;
        _holdsPieces |= walked.IsPiece;
        if (walked.IsGlobal && !_holdsGlobals)
        {
            // From now on each context is numbered with its VPID's global translations.
            _holdsGlobals = true;
            Array.Clear(_recent);
            RefreshContext();
        }

        _tlb.Insert(address, walked.Size, walked.IsGlobal ? _globalNumber : _contextNumber, walked.Payload);
        return walked;
    }

    private static ulong PieceOf(ulong address, Translation translation)
        => translation.HostPage | (address & (translation.Size.SizeBytes() - 1) & ~0xFFFUL);

    private Translation FillFront(ulong address, Translation translation)
    {
        ulong piece = PieceOf(address, translation);
        ulong tag = DirectTlb.TagOf(address >> (int)PageSize.Size4K, _frontPrefix);
        _front.Fill(tag, piece, FastRights(translation, piece), translation.Size);
        return translation.AtPiece(piece);
    }

    /// <summary>The accesses that need nothing but the translation: allowed in this mode, and a store only where no flag is to be set.</summary>
    private AccessRights FastRights(Translation translation, ulong piece)
    {
        AccessRights rights = translation.RightsOf(_context.User);
        AccessPolicy policy = _source.Policy;
        int key = translation.ProtectionKey;
        AccessRights watched = Watch is { } watch ? watch.Of(piece) : AccessRights.None;
        AccessRights fast = policy.Denies(AccessRights.Read | _privilege, rights, key) ? AccessRights.None : AccessRights.Read;
        fast |= !translation.StoreOk || policy.Denies(AccessRights.Write | _privilege, rights, key)
            ? AccessRights.None : AccessRights.Write;
        fast |= policy.Denies(AccessRights.Execute | _privilege, rights, key) ? AccessRights.None : AccessRights.Execute;
        return fast & ~watched;
    }
}
