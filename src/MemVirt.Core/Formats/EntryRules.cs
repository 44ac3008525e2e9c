using System.Runtime.CompilerServices;

namespace MemVirt.Core.Formats;

/// <summary>
/// What a processor makes of the entries of one format, by its features and control registers: which bits must be zero at each
/// level, and which flags a walk keeps. A walk reads it at every entry; it changes only when a register does.
/// </summary>
public sealed class EntryRules
{
    /// <summary>The most levels of any format.</summary>
    public const int MaxLevels = 5;

    private const ulong PageSizeBit = 1UL << 7;
    private Masks _reserved;
    private Masks _plain;
    private Masks _plainLeaf;

    /// <summary>Rules of a format of your own.</summary>
    /// <param name="presentBits">An entry is present where any of these bits is set.</param>
    /// <param name="accessedBit">The bits a walk sets in every entry it uses; 0 for none.</param>
    /// <param name="dirtyBit">The bit a completed write sets in the leaf; 0 for none.</param>
    /// <param name="reserved">The bits that must be zero in a present entry, by its level and by whether it is a leaf.</param>
    public static EntryRules Create(ulong presentBits, ulong accessedBit, ulong dirtyBit, Func<int, bool, ulong> reserved)
    {
        ArgumentNullException.ThrowIfNull(reserved);
        var rules = new EntryRules { PresentBits = presentBits, AccessedBit = accessedBit, DirtyBit = dirtyBit };
        for (int level = 0; level < MaxLevels; level++)
        {
            rules.SetReserved(level, reserved(level, false), reserved(level, true));

            // What is plain is known of the manuals' formats only: here each entry is looked at bit by bit.
            rules._plainLeaf[(level * 2) + 1] = ulong.MaxValue;
        }

        return rules;
    }

    /// <summary>An entry is present where any of these bits is set.</summary>
    public ulong PresentBits { get; internal set; }

    /// <summary>The bits a walk sets in every entry it uses; 0 where accessed flags are off.</summary>
    public ulong AccessedBit { get; internal set; }

    /// <summary>The bit a completed write sets in the leaf; 0 where dirty flags are off.</summary>
    public ulong DirtyBit { get; internal set; }

    /// <summary>Bit n is set where n, the low six bits of an entry that refers to a table, is forbidden.</summary>
    public ulong ForbiddenInTable { get; internal set; }

    /// <summary>Bit n is set where n, the low six bits of a leaf, is forbidden.</summary>
    public ulong ForbiddenInLeaf { get; internal set; }

    /// <summary>With this bit set, bit 0 must be set too; 0 for none.</summary>
    public ulong NeedsRead { get; internal set; }

    /// <summary>What <see cref="PlainMask"/> leaves of an entry that has nothing special.</summary>
    internal ulong PlainValue { get; private set; } = ulong.MaxValue;

    /// <summary>
    /// An entry of which this leaves <see cref="PlainValue"/> refers to a table, has its accessed flag and nothing reserved or forbidden:
    /// all but the first walk of a table meet no other above the leaf.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every entry of every walk: bench WalkBenchmarks
    internal ulong PlainMask(int level) => Unsafe.Add(ref Unsafe.As<Masks, ulong>(ref _plain), level);

    /// <summary>As <see cref="PlainMask"/> for leaves of a level, but for forbidden combinations; see <see cref="PlainLeafValue"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong PlainLeafMask(int level) => Unsafe.Add(ref Unsafe.As<Masks, ulong>(ref _plainLeaf), level * 2);

    /// <summary>What <see cref="PlainLeafMask"/> leaves of a leaf that has nothing special.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong PlainLeafValue(int level) => Unsafe.Add(ref Unsafe.As<Masks, ulong>(ref _plainLeaf), (level * 2) + 1);

    /// <summary>The bits that must be zero in a present entry of a level.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every entry of every walk: bench WalkBenchmarks
    public ulong Reserved(int level, bool isLeaf)
        => Unsafe.Add(ref Unsafe.As<Masks, ulong>(ref _reserved), (level * 2) + (isLeaf ? 1 : 0));

    /// <summary>Whether the present entry holds a forbidden combination of bits that are not reserved by themselves.</summary>
    public bool Forbids(ulong entry, bool isLeaf)
        => (((isLeaf ? ForbiddenInLeaf : ForbiddenInTable) >> (int)(entry & 63)) & 1) != 0
           || ((entry & NeedsRead) != 0 && (entry & 1) == 0);

    /// <summary>Makes the test of plain entries follow; called last, once all else is set.</summary>
    /// <param name="highestLeaf">The highest level at which an entry with bit 7 set is a leaf, for certain.</param>
    internal void Complete(int highestLeaf = 2)
    {
        // Bit 0 set excludes every forbidden combination there is; where one has it, no entry is plain.
        const ulong WithBit0 = 0xAAAA_AAAA_AAAA_AAAA;
        bool isTestable = (ForbiddenInTable & WithBit0) == 0 && (PresentBits & 1) != 0;
        PlainValue = isTestable ? AccessedBit | 1 : ulong.MaxValue;
        for (int level = 1; level < MaxLevels; level++)
        {
            _plain[level] = isTestable ? _reserved[level * 2] | PageSizeBit | AccessedBit | 1 : 0;
        }

        for (int level = 0; level < MaxLevels; level++)
        {
            ulong size = level == 0 ? 0 : PageSizeBit;
            bool mayBeLeaf = level <= highestLeaf && (_reserved[(level * 2) + 1] & size) == 0;
            _plainLeaf[level * 2] = mayBeLeaf ? _reserved[(level * 2) + 1] | size | AccessedBit | 1 : 0;
            _plainLeaf[(level * 2) + 1] = mayBeLeaf ? size | AccessedBit | 1 : ulong.MaxValue;
        }
    }

    internal void SetReserved(int level, ulong inTable, ulong inLeaf)
    {
        _reserved[level * 2] = inTable;
        _reserved[(level * 2) + 1] = inLeaf;
    }

    /// <summary>The bits from <paramref name="low"/> up to, but not including, <paramref name="end"/>.</summary>
    internal static ulong Bits(int low, int end) => end <= low ? 0 : (ulong.MaxValue >> (64 - (end - low))) << low;

    [InlineArray(MaxLevels * 2)]
    private struct Masks
    {
        private ulong _element;
    }
}
