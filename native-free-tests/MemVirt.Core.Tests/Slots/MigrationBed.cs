using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;
using MemVirt.Core.Slots;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tests.Walking;
using MemVirt.Core.Tlb;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Slots;

/// <summary>
/// A guest of several processors whose slots a pager maps. Slot 0 holds the guest's tables, slot 1 is large, slot 2 moves, slot 3
/// comes
/// and goes. Guest-virtual addresses are guest-physical ones.
/// </summary>
internal sealed class MigrationBed<TFormat> : IDisposable
    where TFormat : struct, IPageTableFormat
{
    internal const int Processors = 2;
    internal const int Moving = 2;
    internal const int Passing = 3;
    internal const ulong MovingHere = 0x400_0000;
    internal const ulong MovingThere = 0x440_0000;
    internal const ulong PassingStart = 0x480_0000;
    private const ulong HostStart = 1UL << 32;
    private readonly PooledTableSpace _space;
    private readonly ulong _root;
    private ulong _guestRoot;

    internal MigrationBed()
    {
        Pool = new TablePool(Memory, new FrameAllocator(0x1000, HostStart));
        _space = Pool.Space;
        _root = _space.AllocateTable();
        Pager = new SlotPager<TFormat, PooledTableSpace>(_space, _root, new MemorySlots());
        Add(0, 0, 256);
        Add(1, 0x20_0000, 1024);
        Add(Moving, MovingHere, 64);
        BuildGuest();
    }

    internal SparseMemory Memory { get; } = new();

    internal TablePool Pool { get; }

    internal SlotPager<TFormat, PooledTableSpace> Pager { get; }

    internal InvalidationBus Bus { get; } = new(Processors, mailboxCapacity: 4);

    public void Dispose() => Memory.Dispose();

    internal static MemorySlot Slot(int id, ulong start, int pages)
        => new(id, GuestPhysicalAddress.Create(start), (ulong)pages << 12, HostPhysicalAddress.Create(HostStart + ((ulong)id << 30)));

    /// <summary>Completes an edit and gives its tables back.</summary>
    internal void Finish(PendingInvalidation pending) => Pool.Return(pending.Complete(Bus));

    internal Mmu<TwoStageSource<X64FourLevel, NestedStage<TFormat, HostTableReader>, HostTableReader>> NewMmu()
    {
        var caches = new PagingStructureCaches(
            CachedTable.GuestPhysical,
            new TagArray(new SetGeometry(2, 2)), new TagArray(new SetGeometry(4, 4)), new TagArray(new SetGeometry(32, 4)));
        var nestedTlb = new NestedTlb(new TagArray(new SetGeometry(64, 4)), PageSize.Size4K);
        var stage = new NestedStage<TFormat, HostTableReader>(new HostTableReader(Memory), _root, context: 1, nestedTlb);
        return new(new(stage, new HostTableReader(Memory), TableKind.Guest, caches) { Root = _guestRoot });
    }

    /// <summary>The leaf of the second stage that maps an address; 0 where none does.</summary>
    internal (ulong Leaf, int Level, ulong EntryAddress) LeafOf(ulong gpa)
    {
        ulong table = _root;
        for (int level = TFormat.Levels - 1; ; level--)
        {
            ulong entryAddress = table + TFormat.EntryOffset(gpa, level);
            ulong entry = Memory.Read(entryAddress);
            if (!TFormat.IsPresent(entry) || TFormat.IsLeaf(entry, level))
            {
                return (TFormat.IsPresent(entry) ? entry : 0, level, entryAddress);
            }

            table = TFormat.TableAddress(entry);
        }
    }

    /// <summary>Sets the leaf's dirty bit, as a walk for a write does.</summary>
    internal void SetDirty(ulong gpa) => Memory.SetBits(LeafOf(gpa).EntryAddress, TFormat.DirtyBit);

    private void Add(int id, ulong start, int pages)
    {
        MemorySlot slot = Slot(id, start, pages);
        Pager.Add(slot);
    }

    private void BuildGuest()
    {
        // The guest's tables lie in slot 0, so that its walks' accessed and dirty bits are writes to memory that is logged.
        var tables = new TableBuilder<X64FourLevel>(Memory, new FrameAllocator(0x1000, 0x10_0000), HostStart);
        _guestRoot = tables.Root;
        foreach ((ulong start, int pages) in new[]
            { (0x20_0000UL, 1024), (MovingHere, 64), (MovingThere, 64), (PassingStart, 32) })
        {
            for (ulong gpa = start; gpa < start + ((ulong)pages << 12); gpa += 4096)
            {
                tables.Map(gpa, gpa);
            }
        }
    }
}
