using System.Runtime.CompilerServices;
using MemVirt.Core.Access;

namespace MemVirt.Core.Tlb;

/// <summary>
/// The first probe: a direct-mapped array of 4 KiB pieces with one tag a kind of access. A tag stands only where that access needs
/// nothing but the translation, so that a hit is one compare: rights, privilege, dirty bit and watched pages were folded in
/// when it was filled. No call allocates.
/// </summary>
public sealed class DirectTlb
{
    private const int SizeLog2 = 8;
    private const int WordsOfEntry = 4;
    private const int LargeShift = 9;
    private const int HugeShift = 18;
    private const ulong IndexMask = (1 << SizeLog2) - 1;
    private readonly Entry[] _entries = new Entry[1 << SizeLog2];

    // A bit for the regions of 2 MiB, and of 1 GiB, by a hash of their number, of which a piece was entered that is part of a page so large.
    private ulong _largeRegions;
    private ulong _hugeRegions;

    /// <summary>The tag of a 4 KiB page in a context; the field of the page size tells the privileges apart here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong TagOf(ulong pageNumber, ulong contextPrefix) => pageNumber | contextPrefix;

    /// <summary>The bits that all tags of a context and privilege share: supervisor, user, or supervisor with EFLAGS.AC.</summary>
    public static ulong PrefixOf(uint context, AccessRights privilege)
        => TlbTag.Prefix(
            privilege == AccessRights.User ? Addresses.PageSize.Size2M
            : privilege == AccessRights.AlignmentCheck ? Addresses.PageSize.Size1G
            : Addresses.PageSize.Size4K,
            context);

    /// <summary>The host page of a tag for an access, or false.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // the hit path: bench MmuBenchmarks
    public bool TryFind(ulong tag, MemoryAccess access, out ulong hostPage)
    {
        ref Entry entry = ref Unsafe.Add(
            ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(_entries), (nint)(tag & IndexMask));
        hostPage = entry.HostPage;
        return tag == (access == MemoryAccess.Write ? entry.WriteTag : access == MemoryAccess.Read ? entry.ReadTag : entry.FetchTag);
    }

    /// <summary>Translates addresses up to the first that is not here, and returns how many that were.</summary>
    internal int FindAll(
        ReadOnlySpan<Addresses.GuestVirtualAddress> gvas, MemoryAccess access, ulong contextPrefix, Span<Addresses.HostPhysicalAddress> hpas)
    {
        ref ulong words = ref Unsafe.As<Entry, ulong>(ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(_entries));
        ref ulong hostPages = ref Unsafe.Add(ref words, WordsOfEntry - 1);
        ref ulong tags = ref Unsafe.Add(ref words, access == MemoryAccess.Read ? 0 : access == MemoryAccess.Write ? 1 : 2);
        int i = 0;
        for (; i < gvas.Length && i < hpas.Length; i++)
        {
            ulong address = gvas[i].Value;
            ulong tag = TagOf((address & Addresses.AddressBits.Mask57) >> 12, contextPrefix);
            nint entry = (nint)((tag & IndexMask) * WordsOfEntry);
            if (Unsafe.Add(ref tags, entry) != tag)
            {
                break;
            }

            hpas[i] = Addresses.HostPhysicalAddress.FromValid(Unsafe.Add(ref hostPages, entry) | (address & 0xFFF));
        }

        return i;
    }

    /// <summary>Enters a page for the accesses that need nothing more.</summary>
    public void Fill(ulong tag, ulong hostPage, AccessRights fastRights, Addresses.PageSize size)
    {
        ulong pageNumber = tag & TlbTag.PageNumberMask;
        if (size == Addresses.PageSize.Size2M)
        {
            _largeRegions |= 1UL << HashOf(pageNumber >> LargeShift);
        }
        else if (size == Addresses.PageSize.Size1G)
        {
            _hugeRegions |= 1UL << HashOf(pageNumber >> HugeShift);
        }

        ref Entry entry = ref _entries[tag & IndexMask];
        entry.HostPage = hostPage;
        entry.ReadTag = (fastRights & AccessRights.Read) != 0 ? tag : TlbTag.Empty;
        entry.WriteTag = (fastRights & AccessRights.Write) != 0 ? tag : TlbTag.Empty;
        entry.FetchTag = (fastRights & AccessRights.Execute) != 0 ? tag : TlbTag.Empty;
    }

    /// <summary>Drops everything.</summary>
    public void Clear()
    {
        Array.Clear(_entries);
        _largeRegions = _hugeRegions = 0;
    }

    /// <summary>Drops the piece that holds a page number, whichever context it belongs to.</summary>
    public void Drop(ulong pageNumber) => _entries[pageNumber & IndexMask] = default;

    /// <summary>Drops what leads to a host frame. Cost: one pass.</summary>
    internal void DropFrame(ulong hostPage)
    {
        for (int i = 0; i < _entries.Length; i++)
        {
            ref Entry entry = ref _entries[i];
            if (entry.HostPage == hostPage)
            {
                entry = default;
            }
        }
    }

    /// <summary>
    /// Drops every piece of any page that may hold an address: of a large page, any piece may stand here. Cost: one entry where no
    /// large page near it was filled since the last <see cref="Clear"/>, else one pass.
    /// </summary>
    public void DropPagesOf(ulong address)
    {
        Drop(address >> (int)Addresses.PageSize.Size4K);
        ulong inLarge = _largeRegions >> HashOf(address >> (int)Addresses.PageSize.Size2M);
        ulong inHuge = _hugeRegions >> HashOf(address >> (int)Addresses.PageSize.Size1G);
        if (((inLarge | inHuge) & 1) == 0)
        {
            return;
        }

        ulong gigabyte = address >> (int)Addresses.PageSize.Size1G;
        for (int i = 0; i < _entries.Length; i++)
        {
            ref Entry entry = ref _entries[i];
            ulong tag = entry.ReadTag | entry.WriteTag | entry.FetchTag;
            if ((tag & TlbTag.PageNumberMask) >> 18 == gigabyte)
            {
                entry = default;
            }
        }
    }

    /// <summary>The bit of a region by its number: the upper bits of a product with 2^64 over the golden ratio.</summary>
    private static int HashOf(ulong region) => (int)((region * 0x9E37_79B9_7F4A_7C15) >> 58);

    private struct Entry
    {
        internal ulong ReadTag;
        internal ulong WriteTag;
        internal ulong FetchTag;
        internal ulong HostPage;
    }
}
