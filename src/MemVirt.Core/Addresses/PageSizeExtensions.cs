namespace MemVirt.Core.Addresses;

/// <summary>Arithmetic on page sizes.</summary>
public static class PageSizeExtensions
{
    /// <summary>The base-2 logarithm of the size in bytes.</summary>
    public static int SizeLog2(this PageSize size) => (int)size;

    /// <summary>The size in bytes.</summary>
    public static ulong SizeBytes(this PageSize size) => 1UL << (int)size;

    /// <summary>The level whose entries map pages of this size: 0 for PTEs, 1 for PDEs, 2 for PDPTEs.</summary>
    public static int LeafLevel(this PageSize size) => ((int)size - 12) / 9;

    /// <summary>The size that a leaf entry at a level (0, 1 or 2) maps.</summary>
    public static PageSize AtLevel(int level) => (PageSize)(12 + (9 * level));

    /// <summary>The smaller of two sizes: the effective size of a two-stage mapping.</summary>
    public static PageSize Smaller(PageSize first, PageSize second) => first < second ? first : second;
}
