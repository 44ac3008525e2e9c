using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Sources;
using MemVirt.Core.Tlb;

namespace MemVirt.Core;

/// <content>Contexts: which is current, and what is forgotten of which.</content>
public sealed partial class Mmu<TSource>
    where TSource : struct, ITranslationSource
{
    private const int RecentContexts = 16;
    private readonly RecentContext[] _recent = new RecentContext[RecentContexts];

    /// <inheritdoc/>
    public override void SwitchContext(PagingContext context)
    {
        if (context.ProcessContext > PagingContext.MaxProcessContext)
        {
            Throw.ContextOutOfRange("PCID", context.ProcessContext, PagingContext.MaxProcessContext);
        }

        _severalSecondStages |= context.SecondStage != _context.SecondStage;
        _context = context;
        SetPrivilege();
        RefreshContext();
    }

    /// <summary>Changes the PCID alone; forgets nothing. Cost: some instructions, of a PCID that was current not long ago.</summary>
    internal void SwitchProcess(ushort processContext)
    {
        _context = _context with { ProcessContext = processContext };
        RefreshContext();
    }

    /// <summary>Changes the PCID alone and forgets what an invalidation names.</summary>
    internal void SwitchProcess(ushort processContext, in TlbInvalidation invalidation)
    {
        _context = _context with { ProcessContext = processContext };
        Invalidate(in invalidation);
    }

    /// <inheritdoc/>
    public override void SwitchPrivilege(bool user, bool alignmentCheck)
    {
        _context = _context with { User = user, AlignmentCheck = alignmentCheck };
        SetPrivilege();
        _frontPrefix = _privilegePrefix | TlbTag.ContextBits(_contextNumber);
    }

    /// <inheritdoc/>
    public override void Invalidate(in TlbInvalidation invalidation)
    {
        if (_meter is not null && NoticeListener())
        {
            _meter.CountInvalidation();
        }

        ushort virtualProcessor = invalidation.VirtualProcessor;
        ContextKey key = ContextKey.Of(_context.SecondStage, virtualProcessor, invalidation.ProcessContext);
        switch (invalidation.Scope)
        {
            case InvalidationScope.Address or InvalidationScope.Context when _severalSecondStages:
                // Combined mappings of every second stage go (Intel SDM Vol. 3C §28.4.3.1), and those are not enumerable.
                _contexts.ForgetVirtualProcessor(virtualProcessor, invalidation.IncludesGlobals);
                break;
            case InvalidationScope.Address:
                InvalidateAddress(in invalidation, key);
                break;
            case InvalidationScope.AddressOfVirtualProcessor when _holdsPieces || _severalSecondStages:
                _contexts.ForgetVirtualProcessor(virtualProcessor, includesGlobals: true);
                break;
            case InvalidationScope.AddressOfVirtualProcessor:
                _tlb.DropOfAnyContext(invalidation.Address.Value & AddressBits.Mask57);
                _front.DropPagesOf(invalidation.Address.Value & AddressBits.Mask57);
                break;
            case InvalidationScope.Context:
                _contexts.Forget(key);
                break;
            case InvalidationScope.VirtualProcessor:
                _contexts.ForgetVirtualProcessor(virtualProcessor, invalidation.IncludesGlobals);
                break;
            case InvalidationScope.VirtualProcessorsButZero:
                _contexts.ForgetAllButZero();
                break;
            case InvalidationScope.SecondStage:
                _contexts.ForgetSecondStage(invalidation.SecondStage);
                break;
            default:
                _contexts.ForgetAll();
                break;
        }

        uint tables = invalidation.Scope != InvalidationScope.Address ? 0
            : key == _key ? _source.Context : Recent(key, invalidation.ProcessContext).TableNumber;
        if (_source.Invalidate(in invalidation, tables))
        {
            _contexts.ForgetAll();
        }

        RefreshContext();
    }

    /// <inheritdoc/>
    public override void FlushTlb()
    {
        _contexts.ForgetAll();
        _source.ClearTables();
        RefreshContext();
    }

    private void InvalidateAddress(in TlbInvalidation invalidation, ContextKey key)
    {
        if (_holdsPieces)
        {
            // The address's page may stand in pieces that only a pass over the TLB would find: forget the context.
            _contexts.Forget(key);
            if (invalidation.IncludesGlobals && _holdsGlobals)
            {
                // Of a global page, pieces may stand in the front under the numbers of other PCIDs too.
                _contexts.Forget(ContextKey.GlobalOf(key.SecondStage, key.VirtualProcessor));
                _front.Clear();
            }

            return;
        }

        ulong address = invalidation.Address.Value & AddressBits.Mask57;
        ref RecentContext recent = ref Recent(key, invalidation.ProcessContext);
        _tlb.Drop(address, recent.Number);
        if (invalidation.IncludesGlobals && _holdsGlobals)
        {
            _tlb.Drop(address, recent.GlobalNumber);
        }

        _front.DropPagesOf(address);
        if (invalidation.IncludesTablesOfContext && _source.HasTableCaches)
        {
            _contexts.ForgetTables(key);
        }
    }

    private void RefreshContext()
    {
        _key = ContextKey.Of(_context.SecondStage, _context.VirtualProcessor, _context.ProcessContext);
        ref RecentContext recent = ref Recent(_key, _context.ProcessContext);
        _contextNumber = recent.Number;
        _globalNumber = recent.GlobalNumber;
        _source.Context = recent.TableNumber;
        _frontPrefix = _privilegePrefix | TlbTag.ContextBits(_contextNumber);
    }

    private void SetPrivilege()
    {
        _privilege = _context.Privilege;
        _privilegePrefix = DirectTlb.PrefixOf(0, _privilege);
    }

    /// <summary>The numbers of a context.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every invalidation and switch: bench InvalidationBenchmarks
    private ref RecentContext Recent(ContextKey key, ushort processContext)
    {
        ref RecentContext recent = ref _recent[processContext & (RecentContexts - 1)];
        if (recent.Key != key || recent.Version != _contexts.Version)
        {
            Renumber(ref recent, key);
        }

        return ref recent;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Renumber(ref RecentContext recent, ContextKey key)
    {
        ContextKey globalKey = ContextKey.GlobalOf(key.SecondStage, key.VirtualProcessor);
        uint globalNumber = _holdsGlobals ? _contexts.NumberOf(globalKey) : 0;
        (uint number, uint tableNumber) = _contexts.NumbersOf(key);
        if (_contexts.Restarted)
        {
            _tlb.Clear();
            _front.Clear();
            _source.ClearTables();
            _contexts.AcknowledgeRestart();

            // Numbers handed out before the restart, among them perhaps one just now, mean nothing any more.
            globalNumber = _holdsGlobals ? _contexts.NumberOf(globalKey) : 0;
            (number, tableNumber) = _contexts.NumbersOf(key);
        }

        recent = new RecentContext(key, _contexts.Version, number, globalNumber, tableNumber);
    }

    /// <summary>The numbers of a context, for as long as the table's version stays.</summary>
    private readonly record struct RecentContext(ContextKey Key, ulong Version, uint Number, uint GlobalNumber, uint TableNumber);
}
