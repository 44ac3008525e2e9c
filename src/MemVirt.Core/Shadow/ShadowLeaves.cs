using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;

namespace MemVirt.Core.Shadow;

/// <summary>The leaves of shadow tables: writes them, and finds those that map a page.</summary>
internal sealed class ShadowLeaves(SparseMemory host)
{
    private const int HighestLeaf = 2;
    private readonly ReverseMap _map = new();

    internal ulong Read(ulong entryAddress) => host.Read(entryAddress);

    /// <summary>Makes an entry of a level the leaf given; returns whether it changed.</summary>
    internal bool Set(ulong entryAddress, int level, ulong leaf)
    {
        ulong present = host.Read(entryAddress);
        if (present == leaf)
        {
            return false;
        }

        ulong page = TableGeometry.PageAddress(leaf, level);
        bool wasLeaf = X64FourLevel.IsPresent(present);
        if (!wasLeaf || TableGeometry.PageAddress(present, level) != page)
        {
            if (wasLeaf)
            {
                _map.Remove(level, TableGeometry.PageAddress(present, level), entryAddress);
            }

            _map.Add(level, page, entryAddress);
        }

        host.Write(entryAddress, leaf);
        return true;
    }

    /// <summary>Empties an entry of a level that is a leaf, remembers an address without memory, or is empty.</summary>
    internal void Clear(ulong entryAddress, int level)
    {
        ulong present = host.Read(entryAddress);
        if (X64FourLevel.IsPresent(present))
        {
            _map.Remove(level, TableGeometry.PageAddress(present, level), entryAddress);
        }

        if (present != 0)
        {
            host.Write(entryAddress, 0);
        }
    }

    /// <summary>Remembers an address without memory in an entry that is not present.</summary>
    internal void SetMmio(ulong entryAddress, ulong entry) => host.Write(entryAddress, entry);

    /// <summary>Takes the write right from every leaf that maps the frame at a host-physical address; returns whether any had it.</summary>
    internal bool WithholdWrite(ulong frame)
    {
        bool changed = false;
        for (int level = 0; level <= HighestLeaf; level++)
        {
            for (ulong leaf = _map.First(level, frame, out int position); leaf != 0; leaf = _map.Next(ref position))
            {
                ulong entry = host.Read(leaf);
                AccessRights rights = X64FourLevel.Rights(entry);
                if ((rights & AccessRights.Write) != 0)
                {
                    bool dirty = (entry & X64FourLevel.DirtyBit) != 0;
                    ulong page = TableGeometry.PageAddress(entry, level);
                    host.Write(leaf, X64FourLevel.LeafEntry(page, level, rights & ~AccessRights.Write, dirty));
                    changed = true;
                }
            }
        }

        return changed;
    }

    /// <summary>Empties every leaf that maps the frame at a host-physical address; returns whether there was any.</summary>
    internal bool Unmap(ulong frame)
    {
        bool changed = false;
        for (int level = 0; level <= HighestLeaf; level++)
        {
            for (ulong leaf = _map.First(level, frame, out _); leaf != 0; leaf = _map.First(level, frame, out _))
            {
                Clear(leaf, level);
                changed = true;
            }
        }

        return changed;
    }

    /// <summary>Whether any leaf maps the frame at a host-physical address with the write right.</summary>
    internal bool MapsWritable(ulong frame)
    {
        for (int level = 0; level <= HighestLeaf; level++)
        {
            for (ulong leaf = _map.First(level, frame, out int position); leaf != 0; leaf = _map.Next(ref position))
            {
                if ((X64FourLevel.Rights(host.Read(leaf)) & AccessRights.Write) != 0)
                {
                    return true;
                }
            }
        }

        return false;
    }
}
