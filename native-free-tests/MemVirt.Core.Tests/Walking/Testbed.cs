using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;

namespace MemVirt.Core.Tests.Walking;

/// <summary>Tables of a format in host memory at a fixed distance from their own addresses, built by the library's editor.</summary>
internal sealed class TableBuilder<TFormat>
    where TFormat : struct, IPageTableFormat
{
    private OffsetSpace _space;

    internal TableBuilder(SparseMemory memory, FrameAllocator frames, ulong offset = 0)
    {
        _space = new OffsetSpace(memory, frames, offset);
        Root = _space.AllocateTable();
    }

    internal ulong Root { get; }

    /// <summary>Maps a page and returns the address of its entry in the tables' own space.</summary>
    internal ulong Map(
        ulong address, ulong page, PageSize size = PageSize.Size4K, AccessRights rights = AccessRights.All, bool dirty = false)
    {
        ulong entry = PageTableEditor<TFormat, OffsetSpace>.EnsureEntry(ref _space, Root, address, size.LeafLevel(), out _);
        _space.Write(entry, TFormat.LeafEntry(page, size.LeafLevel(), rights, dirty), size.LeafLevel());
        return entry;
    }

    internal ulong Read(ulong entryAddress) => _space.Read(entryAddress);

    internal void Write(ulong entryAddress, ulong entry) => _space.Write(entryAddress, entry, 0);

    /// <summary>The address of the entry of a level on the way to an address; the tables must be there.</summary>
    internal ulong EntryAt(ulong address, int level)
        => PageTableEditor<TFormat, OffsetSpace>.EnsureEntry(ref _space, Root, address, level, out _);
}

internal readonly struct OffsetSpace(SparseMemory memory, FrameAllocator frames, ulong offset) : ITableSpace
{
    public ulong Read(ulong entryAddress) => memory.Read(entryAddress + offset);

    public void Write(ulong entryAddress, ulong entry, int level) => memory.Write(entryAddress + offset, entry);

    public bool TryReplace(ulong entryAddress, ulong expected, ulong replacement, int level)
        => memory.TryReplace(entryAddress + offset, expected, replacement);

    public ulong AllocateTable()
    {
        ulong table = frames.Allocate(PageSize.Size4K);
        return table;
    }
}

/// <summary>A guest with 2 GiB of memory that lies 2 GiB up in host memory, mapped there by a second stage in pages of one size.</summary>
internal sealed class NestedTestbed<TFormat> : IDisposable
    where TFormat : struct, IPageTableFormat
{
    internal const ulong Offset = 2UL << 30;

    /// <summary>Where the guest's data pages start, in its physical memory.</summary>
    internal const ulong Data = 1UL << 30;

    internal NestedTestbed(PageSize hostSize = PageSize.Size4K)
    {
        Host = new TableBuilder<TFormat>(Memory, new FrameAllocator(0x1000, Offset));
        Guest = new TableBuilder<X64FourLevel>(Memory, new FrameAllocator(0x10_0000, Data), Offset);
        HostSize = hostSize;
        Back(0, 64);
        Back(0x10_0000, 64);
        Back(Data, 1024);
    }

    internal SparseMemory Memory { get; } = new();

    internal TableBuilder<TFormat> Host { get; }

    internal TableBuilder<X64FourLevel> Guest { get; }

    internal PageSize HostSize { get; }

    public void Dispose() => Memory.Dispose();

    private void Back(ulong gpa, int frames)
    {
        for (ulong page = gpa; page < gpa + ((ulong)frames << 12); page += HostSize.SizeBytes())
        {
            ulong aligned = page & ~(HostSize.SizeBytes() - 1);
            Host.Map(aligned, aligned + Offset, HostSize);
        }
    }
}
