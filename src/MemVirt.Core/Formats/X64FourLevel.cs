using MemVirt.Core.Access;
using MemVirt.Core.Registers;

namespace MemVirt.Core.Formats;

/// <summary>
/// Four-level paging: PML4E, PDPTE, PDE, PTE (Intel SDM Vol. 3A §4.5.4, tables 4-15 to 4-20). The entries of five-level paging
/// (<see cref="FiveLevels{TFormat}"/>), of PAE paging and of nested paging are the same.
/// </summary>
public readonly struct X64FourLevel : IPageTableFormat
{
    internal const ulong Present = 1UL << 0;
    internal const ulong Writable = 1UL << 1;
    internal const ulong UserMode = 1UL << 2;
    internal const ulong Accessed = 1UL << 5;
    internal const ulong Dirty = 1UL << 6;
    internal const ulong PageSizeBit = 1UL << 7;
    internal const ulong Global = 1UL << 8;
    internal const ulong ExecuteDisable = 1UL << 63;
    private const int ProtectionKeyShift = 59;

    /// <inheritdoc/>
    public static int Levels => 4;

    /// <inheritdoc/>
    public static ulong AccessedBit => Accessed;

    /// <inheritdoc/>
    public static ulong DirtyBit => Dirty;

    /// <inheritdoc/>
    public static EntryRules DefaultRules { get; } = RulesFor(ProcessorFeatures.Everything, noExecute: true);

    /// <inheritdoc/>
    public static bool IsPresent(ulong entry) => (entry & Present) != 0;

    /// <inheritdoc/>
    public static bool IsLeaf(ulong entry, int level) => level == 0 || ((entry & PageSizeBit) != 0 && level < 3);

    /// <inheritdoc/>
    public static AccessRights Rights(ulong entry)
        => AccessRights.Read
           | (AccessRights)((entry & Writable) | ((entry & Writable) << 3))
           | (AccessRights)((~entry >> 63) << 2)
           | (AccessRights)((entry & UserMode) << 1);

    /// <inheritdoc/>
    public static ulong WithholdingBits => ExecuteDisable;

    /// <inheritdoc/>
    public static AccessRights LeafRights(ulong entry)
        => AccessRights.Read
           | (AccessRights)((entry & Writable) | ((~entry & Writable & (entry >> 5)) << 3))
           | (AccessRights)((~entry >> 63) << 2)
           | (AccessRights)((entry & UserMode) << 1);

    /// <inheritdoc/>
    public static AccessRights RightsOf(ulong granted, ulong leaf)
    {
        ulong all = granted & (leaf ^ ExecuteDisable);
        ulong shadowStack = granted & ~leaf & (leaf >> 5) & Writable;
        return AccessRights.Read | (AccessRights)((all & Writable) | (all >> 63 << 2) | ((all & UserMode) << 1) | (shadowStack << 3));
    }

    /// <summary>The protection key of a leaf: bits 62:59 (Intel SDM Vol. 3A §4.6.2).</summary>
    public static int ProtectionKey(ulong entry) => (int)(entry >> ProtectionKeyShift) & 15;

    /// <inheritdoc/>
    public static ulong TableEntry(ulong tableAddress) => tableAddress | Present | Writable | UserMode | Accessed;

    /// <inheritdoc/>
    public static ulong LeafEntry(ulong pageAddress, int level, AccessRights rights, bool dirty)
        => pageAddress | Present | Accessed
           | ((rights & AccessRights.Write) != 0 ? Writable : 0)
           | ((rights & AccessRights.User) != 0 ? UserMode : 0)
           | ((rights & AccessRights.Execute) == 0 ? ExecuteDisable : 0)
           | (dirty ? Dirty : 0)
           | (level > 0 ? PageSizeBit : 0);

    /// <summary>The rules of four- and five-level paging on a processor.</summary>
    /// <param name="features">The processor.</param>
    /// <param name="noExecute">EFER.NXE: where it is 0, bit 63 is reserved.</param>
    public static EntryRules RulesFor(ProcessorFeatures features, bool noExecute)
    {
        var rules = new EntryRules();
        SetRules(rules, features, noExecute);
        return rules;
    }

    internal static void SetRules(EntryRules rules, ProcessorFeatures features, bool noExecute)
    {
        ulong always = EntryRules.Bits(features.PhysicalAddressBits, 52) | (noExecute ? 0 : ExecuteDisable);
        ulong upper = always | PageSizeBit | (features.Vendor == ProcessorVendor.Amd ? Global : 0);
        rules.PresentBits = Present;
        rules.AccessedBit = Accessed;
        rules.DirtyBit = Dirty;
        rules.SetReserved(0, always, always);
        rules.SetReserved(1, always, always | EntryRules.Bits(13, 21));
        rules.SetReserved(2, always, always | EntryRules.Bits(13, 30) | (features.Pages1G ? 0 : PageSizeBit));
        rules.SetReserved(3, upper, upper);
        rules.SetReserved(4, upper, upper);
        rules.Complete();
    }
}
