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

    /// <summary>Bytes that the reverse map takes.</summary>
    internal long MapBytes => _map.Bytes;

    /// <summary>
    /// Whether TLBs may hold a leaf that was emptied or lost its write right since the last flush of everything, so that the reverse map
    /// no longer tells of it (KVM's tlbs_dirty).
    /// </summary>
    internal bool TlbsDirty { get; set; }

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
                TlbsDirty = true;
            }

            _map.Add(level, page, entryAddress);
        }

        TlbsDirty |= wasLeaf && (X64FourLevel.Rights(present) & ~X64FourLevel.Rights(leaf)) != 0;
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
            TlbsDirty = true;
        }

        if (present != 0)
        {
            host.Write(entryAddress, 0);
        }
    }

    /// <summary>Remembers an address without memory in an entry that is not present.</summary>
    internal void SetMmio(ulong entryAddress, ulong entry) => host.Write(entryAddress, entry);

    /// <summary>Takes the write right from every leaf that maps any of a host-physical range; returns whether one had it.</summary>
    internal bool WithholdWrite(ulong hpa, ulong lengthBytes)
    {
        bool changed = false;
        for (int level = 0; level <= HighestLeaf; level++)
        {
            for (ulong page = FirstPage(hpa, level, out ulong bytes); page < hpa + lengthBytes; page += bytes)
            {
                for (ulong leaf = _map.First(level, page, out int position); leaf != 0; leaf = _map.Next(ref position))
                {
                    ulong entry = host.Read(leaf);
                    AccessRights rights = X64FourLevel.Rights(entry);
                    if ((rights & AccessRights.Write) != 0)
                    {
                        // Clean, for a leaf that is dirty and not writable is a shadow-stack page.
                        host.Write(leaf, entry & ~(X64FourLevel.Writable | X64FourLevel.DirtyBit));
                        changed = true;
                    }
                }
            }
        }

        TlbsDirty |= changed;
        return changed;
    }

    /// <summary>Empties every leaf that maps any of a host-physical range; returns whether there was one.</summary>
    internal bool Unmap(ulong hpa, ulong lengthBytes)
    {
        bool changed = false;
        for (int level = 0; level <= HighestLeaf; level++)
        {
            for (ulong page = FirstPage(hpa, level, out ulong bytes); page < hpa + lengthBytes; page += bytes)
            {
                for (ulong leaf = _map.First(level, page, out _); leaf != 0; leaf = _map.First(level, page, out _))
                {
                    Clear(leaf, level);
                    changed = true;
                }
            }
        }

        return changed;
    }

    private static ulong FirstPage(ulong hpa, int level, out ulong bytes)
    {
        bytes = PageSizeExtensions.AtLevel(level).SizeBytes();
        return hpa & ~(bytes - 1);
    }
}
