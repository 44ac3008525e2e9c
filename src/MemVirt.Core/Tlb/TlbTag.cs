using System.Runtime.CompilerServices;
using MemVirt.Core.Addresses;

namespace MemVirt.Core.Tlb;

/// <summary>
/// What a translation is found by, in one 64-bit word: bits 44:0 the page number of the entry's own size, bits 46:45 the size
/// (1 for 4K, 2 for 2M, 3 for 1G, so that no tag is 0), bits 63:47 the context number that stands for VPID or ASID and PCID.
/// </summary>
public static class TlbTag
{
    /// <summary>A tag that no translation has: an empty way.</summary>
    public const ulong Empty = 0;

    /// <summary>The largest context number.</summary>
    public const uint MaxContext = (1 << 17) - 1;

    /// <summary>The bits of a tag that hold the page number.</summary>
    public const ulong PageNumberMask = (1UL << SizeShift) - 1;

    private const int SizeShift = 45;
    private const int ContextShift = 47;

    /// <summary>The tag of a page of a size in a context.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Create(ulong pageNumber, PageSize size, uint context)
        => pageNumber | ((ulong)(size.LeafLevel() + 1) << SizeShift) | ((ulong)context << ContextShift);

    /// <summary>The bits of a tag that all pages of a size in a context share.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Prefix(PageSize size, uint context) => Create(0, size, context);

    /// <summary>The page size of a tag that is not empty.</summary>
    public static PageSize SizeOf(ulong tag) => PageSizeExtensions.AtLevel((int)((tag >> SizeShift) & 3) - 1);

    /// <summary>The bits of a tag that hold the context.</summary>
    public const ulong ContextMask = ulong.MaxValue << ContextShift;

    /// <summary>A context number in its place in a tag.</summary>
    public static ulong ContextBits(uint context) => (ulong)context << ContextShift;

    /// <summary>The context number of a tag.</summary>
    public static uint ContextOf(ulong tag) => (uint)(tag >> ContextShift);
}
