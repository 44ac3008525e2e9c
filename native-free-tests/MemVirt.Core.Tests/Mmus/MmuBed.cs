using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tests.Walking;
using MemVirt.Core.Tlb;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Mmus;

/// <summary>An MMU of one regime with a guest to edit: what the conformance suite needs of it.</summary>
public interface IMmuBed : IDisposable
{
    /// <summary>How far host-physical addresses lie above guest-physical ones.</summary>
    ulong Offset { get; }

    /// <summary>Translations that a walk completed.</summary>
    long Walks { get; }

    /// <summary>The guest-physical address of the root table.</summary>
    ulong RootTable { get; }

    /// <summary>Maps a page of the current process; the address of its entry.</summary>
    ulong Map(ulong address, ulong page, PageSize size = PageSize.Size4K, AccessRights rights = AccessRights.All, bool dirty = false);

    /// <summary>Reads a guest's entry.</summary>
    ulong Read(ulong entry);

    /// <summary>Writes a guest's entry of a level, as the guest does.</summary>
    void Write(ulong entry, ulong value, int level = 0);

    /// <summary>Translates.</summary>
    (Core.Faults.TranslationStatus Status, ulong Hpa) Translate(ulong address, MemoryAccess access);

    /// <summary>Switches context.</summary>
    void Switch(PagingContext context);

    /// <summary>Invalidates.</summary>
    void Invalidate(Invalidation.TlbInvalidation invalidation);
}

/// <summary>The part that all regimes share.</summary>
internal abstract class MmuBed<TSource> : IMmuBed
    where TSource : struct, ITranslationSource
{
    public abstract ulong Offset { get; }

    public long Walks => Mmu.Walks;

    public abstract ulong RootTable { get; }

    protected abstract Mmu<TSource> Mmu { get; }

    public abstract ulong Map(ulong address, ulong page, PageSize size, AccessRights rights, bool dirty);

    public abstract ulong Read(ulong entry);

    public abstract void Write(ulong entry, ulong value, int level);

    public (Core.Faults.TranslationStatus Status, ulong Hpa) Translate(ulong address, MemoryAccess access)
        => (Mmu.Translate(GuestVirtualAddress.Create(address), access, out HostPhysicalAddress hpa), hpa.Value);

    public void Switch(PagingContext context) => Mmu.SwitchContext(context);

    public void Invalidate(Invalidation.TlbInvalidation invalidation) => Mmu.Invalidate(in invalidation);

    public abstract void Dispose();

    protected static PagingStructureCaches Caches(CachedTable holds)
        => new(holds, new TagArray(new SetGeometry(2, 2)), new TagArray(new SetGeometry(4, 4)), new TagArray(new SetGeometry(32, 4)));
}

internal sealed class NativeBed : MmuBed<TwoStageSource<X64FourLevel, IdentityStage, HostTableReader>>
{
    private readonly SparseMemory _memory = new();
    private readonly TableBuilder<X64FourLevel> _tables;

    public NativeBed()
    {
        _tables = new TableBuilder<X64FourLevel>(_memory, new FrameAllocator(0x1000, 1 << 30));
        Mmu = MmuFactory.Native(_memory, _tables.Root, Caches(CachedTable.HostPhysical));
    }

    public override ulong Offset => 0;

    public override ulong RootTable => _tables.Root;

    protected override Mmu<TwoStageSource<X64FourLevel, IdentityStage, HostTableReader>> Mmu { get; }

    public override ulong Map(ulong address, ulong page, PageSize size, AccessRights rights, bool dirty)
        => _tables.Map(address, page, size, rights, dirty);

    public override ulong Read(ulong entry) => _tables.Read(entry);

    public override void Write(ulong entry, ulong value, int level) => _tables.Write(entry, value);

    public override void Dispose() => _memory.Dispose();
}

internal sealed class NestedBed<TFormat> : MmuBed<TwoStageSource<X64FourLevel, NestedStage<TFormat, HostTableReader>, HostTableReader>>
    where TFormat : struct, IPageTableFormat
{
    private readonly NestedTestbed<TFormat> _bed = new();

    public NestedBed()
    {
        var nestedTlb = new NestedTlb(new TagArray(new SetGeometry(64, 4)), PageSize.Size4K);
        PagingStructureCaches caches = Caches(CachedTable.GuestPhysical);
        Mmu = typeof(TFormat) == typeof(EptFormat)
            ? (Mmu<TwoStageSource<X64FourLevel, NestedStage<TFormat, HostTableReader>, HostTableReader>>)(object)
                MmuFactory.Ept(_bed.Memory, _bed.Host.Root, _bed.Guest.Root, caches, nestedTlb)
            : (Mmu<TwoStageSource<X64FourLevel, NestedStage<TFormat, HostTableReader>, HostTableReader>>)(object)
                MmuFactory.Npt(_bed.Memory, _bed.Host.Root, _bed.Guest.Root, caches, nestedTlb);
    }

    public override ulong Offset => NestedTestbed<TFormat>.Offset;

    public override ulong RootTable => _bed.Guest.Root;

    internal TableBuilder<TFormat> Host => _bed.Host;

    protected override Mmu<TwoStageSource<X64FourLevel, NestedStage<TFormat, HostTableReader>, HostTableReader>> Mmu { get; }

    public override ulong Map(ulong address, ulong page, PageSize size, AccessRights rights, bool dirty)
        => _bed.Guest.Map(address, page, size, rights, dirty);

    public override ulong Read(ulong entry) => _bed.Guest.Read(entry);

    public override void Write(ulong entry, ulong value, int level) => _bed.Guest.Write(entry, value);

    public override void Dispose() => _bed.Dispose();
}

internal sealed class ShadowBed : MmuBed<ShadowSource<HostTableReader>>
{
    private readonly Shadow.ShadowBench _bench = new();

    public ShadowBed()
    {
        for (ulong page = 0; page < 1024; page++)
        {
            // The host frame of data page n lies n pages above the first's.
            _bench.Guest.Back(NestedTestbed<EptFormat>.Data + (page << 12));
        }

        _bench.Pager.LoadRoot(_bench.Root);
        Mmu = MmuFactory.Shadow(_bench.Host, _bench.Pager, Caches(CachedTable.HostPhysical));
    }

    public override ulong Offset => _bench.HpaOf(NestedTestbed<EptFormat>.Data) - NestedTestbed<EptFormat>.Data;

    public override ulong RootTable => _bench.Root;

    protected override Mmu<ShadowSource<HostTableReader>> Mmu { get; }

    public override ulong Map(ulong address, ulong page, PageSize size, AccessRights rights, bool dirty)
    {
        ulong entry = _bench.EnsureEntry(address, size.LeafLevel());
        Write(entry, X64FourLevel.LeafEntry(page, size.LeafLevel(), rights, dirty), size.LeafLevel());
        return entry;
    }

    public override ulong Read(ulong entry) => _bench.Guest.Read(entry);

    public override void Write(ulong entry, ulong value, int level)
    {
        if (_bench.Write(entry, value, level) == GuestTableWrite.ProtectedAndZapped)
        {
            Invalidate(Invalidation.TlbInvalidation.All);
        }
    }

    public override void Dispose() => _bench.Dispose();
}
