using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Shadow;

/// <summary>What software finds when it walks a guest's tables: the tables on the way and the leaf.</summary>
internal struct GuestWalkPath
{
    /// <summary>The guest-physical address of the table passed at each level.</summary>
    internal TablesByLevel Tables;

    /// <summary>The level of the last entry read; of the leaf where <see cref="Present"/>.</summary>
    internal int Level;

    /// <summary>The last entry read.</summary>
    internal ulong Entry;

    /// <summary>The last entry's guest-physical address.</summary>
    internal ulong EntryAddress;

    /// <summary>The rights of all entries.</summary>
    internal AccessRights Rights;

    /// <summary>A leaf, an entry that is not present, or one with a reserved bit.</summary>
    internal WalkStatus Status;

    /// <summary>Whether a leaf was reached.</summary>
    internal readonly bool Present => Status == WalkStatus.Leaf;

    /// <summary>Walks the guest's tables without touching accessed bits and without backing anything.</summary>
    internal static GuestWalkPath Walk<TFormat>(GuestMemory memory, EntryRules rules, ulong root, ulong address)
        where TFormat : struct, IPageTableFormat
    {
        GuestWalkPath path = default;
        path.Rights = AccessRights.Unrestricted;
        ulong table = root;
        for (int level = TFormat.Levels - 1; ; level--)
        {
            path.Tables[level] = table;
            path.Level = level;
            path.EntryAddress = table + TableGeometry.EntryOffset(address, level);
            path.Entry = memory.Read(path.EntryAddress);
            if (!TFormat.IsPresent(path.Entry))
            {
                path.Status = WalkStatus.NotPresent;
                return path;
            }

            bool isLeaf = TFormat.IsLeaf(path.Entry, level);
            if ((path.Entry & rules.Reserved(level, isLeaf)) != 0)
            {
                path.Status = WalkStatus.Reserved;
                return path;
            }

            if (isLeaf)
            {
                path.Rights &= TFormat.LeafRights(path.Entry);
                path.Status = WalkStatus.Leaf;
                return path;
            }

            path.Rights &= TFormat.Rights(path.Entry);
            table = TableGeometry.TableAddress(path.Entry);
        }
    }

    /// <summary>One address a level.</summary>
    [InlineArray(5)]
    internal struct TablesByLevel
    {
        private ulong _element;
    }
}
