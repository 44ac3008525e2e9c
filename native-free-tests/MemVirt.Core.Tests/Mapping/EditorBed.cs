using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;

namespace MemVirt.Core.Tests.Mapping;

/// <summary>Tables of a format to edit, and a literal reading of them.</summary>
internal sealed class EditorBed<TFormat> : IDisposable
    where TFormat : struct, IPageTableFormat
{
    private readonly FrameAllocator _frames = new(0x1000, 1UL << 30);
    private PooledTableSpace _space;

    internal EditorBed()
    {
        Pool = new TablePool(Memory, _frames);
        _space = Pool.Space;
        Root = _space.AllocateTable();
    }

    internal SparseMemory Memory { get; } = new();

    internal TablePool Pool { get; }

    internal ulong Root { get; }

    /// <summary>Nobody runs on it: everything is acknowledged at once.</summary>
    internal InvalidationBus Bus { get; } = new(1);

    /// <summary>Tables in use, the root among them.</summary>
    internal int TablesInUse => (int)((_frames.Next - 0x1000) >> 12) - Pool.FreeTables;

    public void Dispose() => Memory.Dispose();

    internal PendingInvalidation Map(
        ulong address, ulong page, PageSize size = PageSize.Size4K, AccessRights rights = AccessRights.All, bool dirty = false)
        => PageTableEditor<TFormat, PooledTableSpace>.Map(
            ref _space, Root, address, HostPhysicalAddress.Create(page), size, rights, dirty);

    internal PendingInvalidation Unmap(ulong start, ulong length)
        => PageTableEditor<TFormat, PooledTableSpace>.Unmap(ref _space, Root, new AddressRange(start, length));

    internal PendingInvalidation Protect(ulong start, ulong length, AccessRights rights)
        => PageTableEditor<TFormat, PooledTableSpace>.Protect(ref _space, Root, new AddressRange(start, length), rights);

    internal PendingInvalidation Split(ulong address, PageSize size = PageSize.Size4K)
        => PageTableEditor<TFormat, PooledTableSpace>.Split(ref _space, Root, address, size);

    internal PendingInvalidation Merge(ulong address, PageSize size = PageSize.Size2M)
        => PageTableEditor<TFormat, PooledTableSpace>.Merge(ref _space, Root, address, size);

    /// <summary>Completes an edit and takes the tables back.</summary>
    internal void Finish(PendingInvalidation pending) => Pool.Return(pending.Complete(Bus));

    /// <summary>The leaf that maps an address and its level; (0, level) where none does.</summary>
    internal (ulong Leaf, int Level, ulong EntryAddress) LeafOf(ulong address)
    {
        ulong table = Root;
        for (int level = TFormat.Levels - 1; ; level--)
        {
            ulong entryAddress = table + TFormat.EntryOffset(address, level);
            ulong entry = Memory.Read(entryAddress & ~7UL);
            if (TFormat.EntryBytes == 4)
            {
                entry = (uint)(entry >> ((int)(entryAddress & 4) * 8));
            }

            if (!TFormat.IsPresent(entry))
            {
                return (0, level, entryAddress);
            }

            if (TFormat.IsLeaf(entry, level))
            {
                return (entry, level, entryAddress);
            }

            table = TFormat.TableAddress(entry);
        }
    }

    /// <summary>The address of the 4 KiB frame behind an address that is mapped.</summary>
    internal ulong FrameOf(ulong address)
    {
        (ulong leaf, int level, _) = LeafOf(address);
        return TFormat.PageAddress(leaf, level) | (address & ((1UL << TFormat.ShiftOf(level)) - 1) & ~0xFFFUL);
    }

    /// <summary>
    /// Sets bits of the leaf that maps an address, as a processor does: by compare-exchange, walking again where it fails.
    /// </summary>
    internal bool Touch(ulong address, ulong bits)
    {
        while (true)
        {
            (ulong leaf, _, ulong entryAddress) = LeafOf(address);
            if (leaf == 0)
            {
                return false;
            }

            if (Memory.TryReplace(entryAddress, leaf, leaf | bits))
            {
                return true;
            }
        }
    }
}
