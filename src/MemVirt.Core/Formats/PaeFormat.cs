using MemVirt.Core.Access;
using MemVirt.Core.Registers;

namespace MemVirt.Core.Formats;

/// <summary>
/// PAE paging below the four PDPTE registers: PDE and PTE (Intel SDM Vol. 3A §4.4, tables 4-9 to 4-11). The register that bits 31:30
/// of the address select holds the root; it was loaded and checked by MOV to CR3.
/// </summary>
public readonly struct PaeFormat : IPageTableFormat
{
    /// <inheritdoc/>
    public static int Levels => 2;

    /// <inheritdoc/>
    public static ulong AccessedBit => X64FourLevel.AccessedBit;

    /// <inheritdoc/>
    public static ulong DirtyBit => X64FourLevel.DirtyBit;

    /// <inheritdoc/>
    public static EntryRules DefaultRules { get; } = CreateDefault();

    /// <inheritdoc/>
    public static bool IsPresent(ulong entry) => X64FourLevel.IsPresent(entry);

    /// <inheritdoc/>
    public static bool IsLeaf(ulong entry, int level) => X64FourLevel.IsLeaf(entry, level);

    /// <inheritdoc/>
    public static AccessRights Rights(ulong entry) => X64FourLevel.Rights(entry);

    /// <inheritdoc/>
    public static ulong WithholdingBits => X64FourLevel.WithholdingBits;

    /// <inheritdoc/>
    public static AccessRights LeafRights(ulong entry) => X64FourLevel.LeafRights(entry);

    /// <inheritdoc/>
    public static AccessRights RightsOf(ulong granted, ulong leaf) => X64FourLevel.RightsOf(granted, leaf);

    /// <inheritdoc/>
    public static ulong TableEntry(ulong tableAddress) => X64FourLevel.TableEntry(tableAddress);

    /// <inheritdoc/>
    public static ulong LeafEntry(ulong pageAddress, int level, AccessRights rights, bool dirty)
        => X64FourLevel.LeafEntry(pageAddress, level, rights, dirty);

    /// <summary>Makes rules those of PAE paging: as in four-level paging, and bits 62:52 are reserved too.</summary>
    internal static void SetRules(EntryRules rules, ProcessorFeatures features, bool noExecute)
    {
        X64FourLevel.SetRules(rules, features, noExecute);
        ulong always = rules.Reserved(0, isLeaf: true) | EntryRules.Bits(52, 63);
        rules.SetReserved(0, always, always);
        rules.SetReserved(1, always, always | EntryRules.Bits(13, 21));
        rules.Complete();
    }

    private static EntryRules CreateDefault()
    {
        var rules = new EntryRules();
        SetRules(rules, ProcessorFeatures.Everything, noExecute: true);
        return rules;
    }
}
