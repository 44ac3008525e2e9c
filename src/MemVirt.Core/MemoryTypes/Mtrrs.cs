using System.Diagnostics.CodeAnalysis;

namespace MemVirt.Core.MemoryTypes;

/// <summary>
/// One state of the memory-type range registers (Intel SDM Vol. 3A §11.11; AMD APM Vol. 2 §7.7): the memory type of a physical
/// address before the page's own attributes. Immutable, so that threads may share it; a lookup allocates nothing.
/// </summary>
public sealed class Mtrrs
{
    private const ulong FixedEnable = 1UL << 10;
    private const ulong Enable = 1UL << 11;
    private readonly MtrrRange[] _ranges;
    private readonly ulong[] _fixedRanges;
    private readonly int _physicalAddressBits;

    private Mtrrs(ulong defaultType, MtrrRange[] ranges, ulong[] fixedRanges, int physicalAddressBits)
    {
        DefaultTypeRegister = defaultType;
        _ranges = ranges;
        _fixedRanges = fixedRanges;
        _physicalAddressBits = physicalAddressBits;
    }

    /// <summary>After reset: off, so that all memory is UC (§11.11.5).</summary>
    public static Mtrrs Disabled { get; } = new(0, [], [], 52);

    /// <summary>
    /// On, with no range at all and WB as the default: the state for whoever is not interested in memory types.
    /// </summary>
    public static Mtrrs AllWriteBack { get; } = new(Enable | (ulong)MemoryType.WriteBack, [], [], 52);

    /// <summary>IA32_MTRR_DEF_TYPE: the default type in bits 7:0, FE in bit 10, E in bit 11.</summary>
    public ulong DefaultTypeRegister { get; }

    private bool IsEnabled => (DefaultTypeRegister & Enable) != 0;

    private bool UsesFixedRanges => (DefaultTypeRegister & FixedEnable) != 0 && _fixedRanges.Length != 0;

    /// <summary>
    /// A state from the values of the MSRs; false where WRMSR of one of them would be #GP(0): a reserved type or a reserved bit
    /// (§11.11.2). The values are copied.
    /// </summary>
    /// <param name="defaultType">IA32_MTRR_DEF_TYPE.</param>
    /// <param name="ranges">The variable ranges.</param>
    /// <param name="fixedRanges">The 11 fixed-range MSRs in the order of <see cref="MtrrFixedRanges"/>, or none.</param>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    /// <param name="mtrrs">The state.</param>
    public static bool TryCreate(
        ulong defaultType, ReadOnlySpan<MtrrRange> ranges, ReadOnlySpan<ulong> fixedRanges, int physicalAddressBits,
        [NotNullWhen(true)] out Mtrrs? mtrrs)
    {
        mtrrs = null;
        if ((defaultType & ~(Enable | FixedEnable | 0xFF)) != 0
            || !MemoryTypeEncodings.IsRangeType((byte)defaultType)
            || fixedRanges.Length is not (0 or MtrrFixedRanges.RegisterCount)
            || !AreWritable(ranges, physicalAddressBits)
            || !AreWritable(fixedRanges))
        {
            return false;
        }

        mtrrs = new Mtrrs(defaultType, ranges.ToArray(), fixedRanges.ToArray(), physicalAddressBits);
        return true;
    }

    /// <summary>
    /// The memory type of a physical address (§11.11.4.1). Disabled: UC. Below 1 MiB with fixed ranges on: theirs. Else of the
    /// variable ranges that cover it: the one type, UC if it is among several, WT for WT and WB. Overlaps of other types are
    /// undefined and UC here. With no range, the default.
    /// </summary>
    public MemoryType TypeOf(ulong address)
    {
        if (!IsEnabled)
        {
            return MemoryType.Uncacheable;
        }

        if (address < MtrrFixedRanges.Limit && UsesFixedRanges)
        {
            int field = MtrrFixedRanges.FieldOf(address);
            return (MemoryType)(byte)(_fixedRanges[field >> 3] >> (8 * (field & 7)));
        }

        bool covered = false;
        MemoryType type = default;
        foreach (MtrrRange range in _ranges)
        {
            if (range.Covers(address))
            {
                type = covered ? Overlap(type, range.Type) : range.Type;
                covered = true;
            }
        }

        return covered ? type : (MemoryType)(byte)DefaultTypeRegister;
    }

    /// <summary>
    /// The one memory type of a range of physical addresses; false where it has several. A large page must then be used in
    /// pieces, as processors do of their own accord where the fixed ranges disagree. Elsewhere the manual leaves a large page
    /// over several types undefined and asks software for the most conservative one, UC, which is what is returned (§11.11.9).
    /// </summary>
    /// <param name="start">A physical address.</param>
    /// <param name="lengthBytes">At least 1; the range must not wrap.</param>
    /// <param name="type">The type of all of it, or the safe one.</param>
    public bool TryUniformType(ulong start, ulong lengthBytes, out MemoryType type)
    {
        type = TypeOf(start);
        ulong last = start + (lengthBytes - 1);
        for (ulong edge = NextEdge(start); edge <= last; edge = NextEdge(edge))
        {
            if (TypeOf(edge) != type)
            {
                type = MemoryType.Uncacheable;
                return false;
            }
        }

        return true;
    }

    private static MemoryType Overlap(MemoryType first, MemoryType second)
        => first == second ? first
            : (first, second) is (MemoryType.WriteThrough, MemoryType.WriteBack) or (MemoryType.WriteBack, MemoryType.WriteThrough)
                ? MemoryType.WriteThrough
            : MemoryType.Uncacheable;

    private static bool AreWritable(ReadOnlySpan<MtrrRange> ranges, int physicalAddressBits)
    {
        foreach (MtrrRange range in ranges)
        {
            if (!range.IsWritable(physicalAddressBits))
            {
                return false;
            }
        }

        return true;
    }

    private static bool AreWritable(ReadOnlySpan<ulong> fixedRanges)
    {
        foreach (ulong register in fixedRanges)
        {
            for (int field = 0; field < 8; field++)
            {
                if (!MemoryTypeEncodings.IsRangeType((byte)(register >> (8 * field))))
                {
                    return false;
                }
            }
        }

        return true;
    }

    private ulong NextEdge(ulong address)
    {
        if (!IsEnabled)
        {
            return ulong.MaxValue;
        }

        if (address < MtrrFixedRanges.Limit && UsesFixedRanges)
        {
            return MtrrFixedRanges.EndOfField(address);
        }

        ulong next = ulong.MaxValue;
        foreach (MtrrRange range in _ranges)
        {
            next = Math.Min(next, range.NextEdge(address, _physicalAddressBits));
        }

        return next;
    }
}
