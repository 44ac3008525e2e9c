using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Sources;

/// <summary>
/// Shadow paging for a full virtual processor. While its registers are ones that <see cref="ShadowPager"/> follows (32-bit, PAE or four-level
/// paging, no protection keys, not SMAP while CR0.WP is clear) its tables are shadowed; while they are not, they are walked as they are, over what
/// backs its memory. Each time the guest comes back, the shadow begins anew.
/// </summary>
public struct ShadowPagingSource<TReader> : IPagingSource
    where TReader : struct, ITableReader
{
    private readonly GuestRules _rules;
    private readonly ShadowPager _pager;
    private PagingSource<BackedStage, TReader> _walked;
    private ShadowSource<TReader> _shadowed;
    private bool _isShadowed;
    private bool _asksForFlush;
    private (PagingMode Mode, bool LargePages32) _shape;
    private ulong _processContextMask;

    /// <summary>A source.</summary>
    /// <param name="host">Host memory.</param>
    /// <param name="guest">The guest's memory.</param>
    /// <param name="hostFrames">Where shadow tables come from.</param>
    /// <param name="reader">Reads entries.</param>
    /// <param name="rules">The guest's rules; its paging unit updates them.</param>
    /// <param name="hasDevice">Where the guest has devices, and no memory.</param>
    public ShadowPagingSource(
        SparseMemory host, GuestMemory guest, FrameAllocator hostFrames, TReader reader, GuestRules rules, MmioQuery hasDevice)
    {
        ArgumentNullException.ThrowIfNull(rules);
        _rules = rules;
        _pager = ShadowPager.ForProcessor(host, guest, hostFrames, rules);
        _pager.HasMmio = hasDevice;
        _walked = new PagingSource<BackedStage, TReader>(new BackedStage(guest, hasDevice), reader, rules);
        _shadowed = new ShadowSource<TReader>(_pager, reader);
    }

    /// <summary>The pager: its statistics, and what it is to be told of stores to guest tables.</summary>
    public readonly ShadowPager Pager => _pager;

    /// <summary>Whether the guest's tables are shadowed now.</summary>
    public readonly bool IsShadowed => _isShadowed;

    /// <inheritdoc/>
    public ulong Cr3
    {
        readonly get => _walked.Cr3;
        set
        {
            _walked.Cr3 = value;

            // In PAE mode the PDPTE registers are what is loaded, not what CR3 refers to.
            if (_isShadowed && _rules.Mode != PagingMode.Pae)
            {
                _asksForFlush |= _pager.LoadRoot(Root(value));
            }
        }
    }

    /// <inheritdoc/>
    public PageDirectoryPointers Pdptes
    {
        readonly get => _walked.Pdptes;
        set
        {
            _walked.Pdptes = value;
            if (_isShadowed && _rules.Mode == PagingMode.Pae)
            {
                _asksForFlush |= _pager.LoadPageDirectoryPointers(value);
            }
        }
    }

    /// <inheritdoc/>
    public uint Context
    {
        readonly get => _shadowed.Context;
        set
        {
            _shadowed.Context = value;
            _walked.Context = value;
        }
    }

    /// <inheritdoc/>
    public readonly bool HasTableCaches => false;

    /// <inheritdoc/>
    public readonly AccessPolicy Policy => _isShadowed ? _shadowed.Policy : _rules.Policy;

    /// <inheritdoc/>
    public readonly int LinearAddressBits => _walked.LinearAddressBits;

    /// <inheritdoc/>
    public bool TryReadPdptes(ulong cr3, out PageDirectoryPointers pointers, out SecondStageFault fault)
        => _walked.TryReadPdptes(cr3, out pointers, out fault);

    /// <inheritdoc/>
    public void RegistersChanged(in PagingRegisters registers)
    {
        bool wasShadowed = _isShadowed;
        _isShadowed = ShadowPager.Follows(_rules);
        ulong mask = (registers.Cr4 & Cr4.ProcessContextEnable) != 0 ? AddressBits.Frame | Registers.Cr3.ProcessContextMask : AddressBits.Frame;
        bool isNewMask = mask != _processContextMask;
        _processContextMask = mask;
        if (_isShadowed != wasShadowed)
        {
            // What either way of translating has left in the TLB is nothing to the other.
            _asksForFlush = true;
        }

        var shape = (_rules.Mode, _rules.Mode == PagingMode.Bits32 && _rules.LargePages32);
        bool isNewShape = shape != _shape;
        _shape = shape;
        if (_isShadowed && (!wasShadowed || isNewMask || isNewShape))
        {
            _pager.Restart(Root(registers.Cr3), _walked.Pdptes);
            _asksForFlush = true;
        }
        else if (_isShadowed)
        {
            _asksForFlush |= _pager.RulesChanged();
        }
    }

    /// <inheritdoc/>
    public bool TakeFlush()
    {
        bool asked = _asksForFlush;
        _asksForFlush = false;
        return asked;
    }

    /// <inheritdoc/>
    public Translation Translate(ulong address, AccessRights needed)
        => !_isShadowed ? _walked.Translate(address, needed)
            : _shadowed.Translate(_rules.Mode == PagingMode.FourLevel ? address : address & uint.MaxValue, needed);

    /// <inheritdoc/>
    public bool Invalidate(in TlbInvalidation invalidation, uint context)
        => _isShadowed ? _shadowed.Invalidate(in invalidation, context) : _walked.Invalidate(in invalidation, context);

    /// <inheritdoc/>
    public readonly void ClearTables()
    {
        // No caches of tables.
    }

    private readonly ulong Root(ulong cr3) => cr3 & _processContextMask;
}
