using MemVirt.Core.Access;
using MemVirt.Core.Registers;

namespace MemVirt.Core.Formats;

/// <summary>
/// 32-bit paging: PDE and PTE of four bytes, 1,024 a table (Intel SDM Vol. 3A §4.3, tables 4-4 to 4-6). A PDE with PS maps 4 MiB
/// where CR4.PSE is set.
/// </summary>
/// <typeparam name="TLargePages">Whether CR4.PSE is set.</typeparam>
public readonly struct Bits32Format<TLargePages> : IPageTableFormat
    where TLargePages : struct, ISwitch
{
    private const int LargePageShift = 22;

    /// <inheritdoc/>
    public static int Levels => 2;

    /// <inheritdoc/>
    public static int EntryBytes => 4;

    /// <inheritdoc/>
    public static ulong AccessedBit => X64FourLevel.Accessed;

    /// <inheritdoc/>
    public static ulong DirtyBit => X64FourLevel.Dirty;

    /// <inheritdoc/>
    public static EntryRules DefaultRules { get; } = CreateDefault();

    /// <inheritdoc/>
    public static bool IsPresent(ulong entry) => (entry & X64FourLevel.Present) != 0;

    /// <inheritdoc/>
    public static bool IsLeaf(ulong entry, int level)
        => level == 0 || (TLargePages.IsOn && (entry & X64FourLevel.PageSizeBit) != 0);

    /// <inheritdoc/>
    public static AccessRights Rights(ulong entry) => X64FourLevel.Rights(entry & uint.MaxValue);

    /// <inheritdoc/>
    public static AccessRights LeafRights(ulong entry) => X64FourLevel.LeafRights(entry & uint.MaxValue);

    /// <inheritdoc/>
    public static int ShiftOf(int level) => level == 0 ? 12 : LargePageShift;

    /// <inheritdoc/>
    public static ulong EntryOffset(ulong address, int level) => (address >> (ShiftOf(level) - 2)) & 0xFFC;

    /// <inheritdoc/>
    public static ulong TableAddress(ulong entry) => entry & 0xFFFF_F000;

    /// <inheritdoc/>
    /// <remarks>Bits 20:13 of a PDE that maps 4 MiB are bits 39:32 of the page's address (PSE-36, Intel SDM Vol. 3A table 4-4).</remarks>
    public static ulong PageAddress(ulong entry, int level)
        => level == 0 ? entry & 0xFFFF_F000 : (entry & 0xFFC0_0000) | (((entry >> 13) & 0xFF) << 32);

    /// <inheritdoc/>
    public static AccessRights RightsOf(ulong granted, ulong leaf) => Rights(granted) & LeafRights(leaf);

    /// <inheritdoc/>
    public static ulong TableEntry(ulong tableAddress) => X64FourLevel.TableEntry(tableAddress);

    /// <inheritdoc/>
    public static ulong LeafEntry(ulong pageAddress, int level, AccessRights rights, bool dirty)
    {
        ulong address = level == 0 ? pageAddress : (pageAddress & 0xFFC0_0000) | (((pageAddress >> 32) & 0xFF) << 13);
        return X64FourLevel.LeafEntry(address, level, rights | AccessRights.Execute, dirty);
    }

    /// <summary>Makes rules those of 32-bit paging on a processor: bits 21:13 of a 4 MiB PDE that are no address are reserved.</summary>
    internal static void SetRules(EntryRules rules, ProcessorFeatures features)
    {
        int addressBits = features.PageSizeExtension36 ? Math.Clamp(features.PhysicalAddressBits, 32, 40) : 32;
        rules.PresentBits = X64FourLevel.Present;
        rules.AccessedBit = X64FourLevel.Accessed;
        rules.DirtyBit = X64FourLevel.Dirty;
        rules.SetReserved(0, 0, 0);
        rules.SetReserved(1, 0, EntryRules.Bits(13 + addressBits - 32, LargePageShift));

        // CR4.PSE decides what bit 7 means, and is no part of the rules.
        rules.Complete(highestLeaf: 0);
    }

    private static EntryRules CreateDefault()
    {
        var rules = new EntryRules();
        SetRules(rules, ProcessorFeatures.Everything);
        return rules;
    }
}
