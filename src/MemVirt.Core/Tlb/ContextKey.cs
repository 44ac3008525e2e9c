using System.Diagnostics;
using MemVirt.Core.Access;

namespace MemVirt.Core.Tlb;

/// <summary>
/// Whose entries: second stage (EPTP), VPID or ASID, and PCID or, for global translations, all PCIDs. One word, never 0.
/// </summary>
public readonly record struct ContextKey
{
    private const int VirtualProcessorShift = 14;
    private const int SecondStageShift = 30;
    private const ulong GlobalBit = 1 << 12;
    private const ulong UsedBit = 1 << 13;

    private ContextKey(ulong value) => Value = value;

    internal ulong Value { get; }

    internal ushort VirtualProcessor => (ushort)(Value >> VirtualProcessorShift);

    internal ushort SecondStage => (ushort)(Value >> SecondStageShift);

    internal bool IsGlobal => (Value & GlobalBit) != 0;

    /// <summary>The key of a PCID's translations that are not global.</summary>
    public static ContextKey Of(ushort secondStage, ushort virtualProcessor, ushort processContext)
    {
        Debug.Assert(processContext <= PagingContext.MaxProcessContext, "A PCID has 12 bits.");
        return new(UsedBit | processContext | Above(secondStage, virtualProcessor));
    }

    /// <summary>The key of global translations.</summary>
    public static ContextKey GlobalOf(ushort secondStage, ushort virtualProcessor)
        => new(UsedBit | GlobalBit | Above(secondStage, virtualProcessor));

    private static ulong Above(ushort secondStage, ushort virtualProcessor)
        => ((ulong)secondStage << SecondStageShift) | ((ulong)virtualProcessor << VirtualProcessorShift);
}
