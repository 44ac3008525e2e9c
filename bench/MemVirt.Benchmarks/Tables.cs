using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;

namespace MemVirt.Benchmarks;

/// <summary>Tables in host memory; host-physical addresses lie <paramref name="offset"/> above the tables' own.</summary>
internal readonly struct Tables(SparseMemory memory, FrameAllocator frames, ulong offset) : ITableSpace
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

    /// <summary>Maps pages of 4 KiB, dirty and with every right, and returns the root.</summary>
    internal ulong Map<TFormat>(params (ulong Address, ulong Page, int Pages)[] ranges)
        where TFormat : struct, IPageTableFormat
    {
        Tables space = this;
        ulong root = AllocateTable();
        foreach ((ulong address, ulong page, int pages) in ranges)
        {
            for (ulong at = 0; at < (ulong)pages << 12; at += 4096)
            {
                ulong entry = PageTableEditor<TFormat, Tables>.EnsureEntry(ref space, root, address + at, 0, out _);
                space.Write(entry, TFormat.LeafEntry(page + at, 0, AccessRights.All, dirty: true), 0);
            }
        }

        return root;
    }
}
