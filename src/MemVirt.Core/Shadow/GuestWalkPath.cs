using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Shadow;

/// <summary>What software finds when it walks a guest's tables: the tables on the way and the leaf.</summary>
internal struct GuestWalkPath
{
    private const ulong FlagBits = 0xFFF;
    private const ulong PageAttribute = 1UL << 12;

    /// <summary>The guest-physical address of the table passed at each level.</summary>
    internal TablesByLevel Tables;

    /// <summary>The level of the last entry read; of the leaf where <see cref="Present"/>.</summary>
    internal int Level;

    /// <summary>The last entry read; where it is a leaf, as 64-bit paging would have it.</summary>
    internal ulong Entry;

    /// <summary>The last entry's guest-physical address.</summary>
    internal ulong EntryAddress;

    /// <summary>Of a leaf, the size of its page as a power of two: 22 for a large page of 32-bit paging.</summary>
    internal int PageShift;

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
            path.EntryAddress = table + TFormat.EntryOffset(address, level);
            path.Entry = Read<TFormat>(memory, path.EntryAddress);
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
                path.PageShift = TFormat.ShiftOf(level);
                if (TFormat.EntryBytes == 4)
                {
                    path.Entry = (path.Entry & (FlagBits | (level == 0 ? 0 : PageAttribute))) | TFormat.PageAddress(path.Entry, level);
                }

                return path;
            }

            path.Rights &= TFormat.Rights(path.Entry);
            table = TFormat.TableAddress(path.Entry);
        }
    }

    /// <summary>Where an address in the leaf's page lies in the guest's memory.</summary>
    internal readonly ulong GuestPhysical(ulong address)
        => TableGeometry.PageAddress(Entry, Level) | (address & ((1UL << PageShift) - 1));

    /// <summary>The entry at a guest-physical address.</summary>
    internal static ulong Read<TFormat>(GuestMemory memory, ulong entryAddress)
        where TFormat : struct, IPageTableFormat
        => TFormat.EntryBytes == 8
            ? memory.Read(entryAddress)
            : (memory.Read(entryAddress & ~7UL) >> ((int)(entryAddress & 4) * 8)) & uint.MaxValue;

    /// <summary>One address a level.</summary>
    [InlineArray(5)]
    internal struct TablesByLevel
    {
        private ulong _element;
    }
}
