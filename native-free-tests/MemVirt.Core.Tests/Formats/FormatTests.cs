using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Registers;

namespace MemVirt.Core.Tests.Formats;

/// <summary>Intel SDM Vol. 3A §4.5.4, tables 4-15 to 4-20: present is P, and a present page can be read.</summary>
public class X64FourLevelTests : FormatConformance<X64FourLevel>
{
    internal const ulong AddressAbove40 = 0x000F_FF00_0000_0000;
    internal const ulong ExecuteDisable = 1UL << 63;
    private static readonly ProcessorFeatures _narrow = new() { PhysicalAddressBits = 40, Pages1G = false };

    protected override AccessRights Always => AccessRights.Read;

    protected override EntryRules NarrowRules { get; } = X64FourLevel.RulesFor(_narrow, noExecute: false);

    protected override ulong ReservedBits(int level, bool isLeaf) => Reserved(level, isLeaf);

    [Fact]
    public void Bits_are_where_table_4_20_has_them()
        => Assert.Equal(
            (1UL << 63) | 0x5000 | 0x67, X64FourLevel.LeafEntry(0x5000, 0, AccessRights.All & ~AccessRights.Execute, dirty: true));

    /// <summary>AMD APM Vol. 2 §5.3.3: bits 8:7 of a PML4E and PML5E must be zero; Intel ignores bit 8.</summary>
    [Theory]
    [InlineData(ProcessorVendor.Intel, 0x80UL)]
    [InlineData(ProcessorVendor.Amd, 0x180UL)]
    public void Vendors_differ_in_bit_8_of_the_upper_levels(ProcessorVendor vendor, ulong reserved)
    {
        EntryRules rules = X64FourLevel.RulesFor(new ProcessorFeatures { Vendor = vendor }, noExecute: true);
        Assert.Equal(reserved, rules.Reserved(3, isLeaf: false));
        Assert.Equal(reserved, rules.Reserved(4, isLeaf: false));
        Assert.Equal(0UL, rules.Reserved(2, isLeaf: false));
    }

    /// <summary>Tables 4-15 to 4-20; a PDPTE that maps 1 GiB is reserved as such here.</summary>
    internal static ulong Reserved(int level, bool isLeaf)
        => (level, isLeaf) switch
        {
            (0, _) => AddressAbove40 | ExecuteDisable,
            (1, true) => AddressAbove40 | ExecuteDisable | 0x1F_E000,
            (2, true) => ulong.MaxValue,
            (1 or 2, false) => AddressAbove40 | ExecuteDisable,
            _ => AddressAbove40 | ExecuteDisable | 0x80,
        };
}

/// <summary>Intel SDM Vol. 3A §4.5.4: a fifth level of the same entries as the fourth.</summary>
public class FiveLevelPagingTests : FormatConformance<FiveLevels<X64FourLevel>>
{
    protected override AccessRights Always => AccessRights.Read;

    protected override EntryRules NarrowRules { get; } = X64FourLevel.RulesFor(
        new ProcessorFeatures { PhysicalAddressBits = 40, Pages1G = false }, noExecute: false);

    protected override ulong ReservedBits(int level, bool isLeaf) => X64FourLevelTests.Reserved(level, isLeaf);
}

/// <summary>Intel SDM Vol. 3A §4.4.2, tables 4-9 to 4-11: as four-level paging, and bits 62:52 are reserved.</summary>
public class PaeFormatTests : FormatConformance<PaeFormat>
{
    protected override AccessRights Always => AccessRights.Read;

    protected override int HighestLeaf => 1;

    protected override EntryRules NarrowRules { get; } = Rules();

    protected override ulong ReservedBits(int level, bool isLeaf)
        => X64FourLevelTests.Reserved(level, isLeaf) | 0x7FF0_0000_0000_0000;

    private static EntryRules Rules()
    {
        var rules = new EntryRules();
        PaeFormat.SetRules(rules, new ProcessorFeatures { PhysicalAddressBits = 40, Pages1G = false }, noExecute: false);
        return rules;
    }
}

/// <summary>Intel SDM Vol. 3A §4.3, tables 4-4 to 4-6, with CR4.PSE; with 40 bits of address only bit 21 of a large page's PDE is reserved.</summary>
public class Bits32FormatTests : FormatConformance<Bits32Format<On>>
{
    protected override ulong Page => 0x00AB_C0C0_0000 & 0xFF_FFC0_0000;

    protected override AccessRights Always => AccessRights.Read;

    protected override AccessRights Expressible => AccessRights.All & ~AccessRights.Execute;

    protected override int HighestLeaf => 1;

    protected override int BitsPerLevel => 10;

    protected override EntryRules NarrowRules { get; } = Rules(pse36: true);

    protected override ulong ReservedBits(int level, bool isLeaf) => level == 1 && isLeaf ? 1UL << 21 : 0;

    [Fact]
    public void Without_pse_36_the_upper_address_bits_of_a_large_page_are_reserved()
        => Assert.Equal(0x3F_E000UL, Rules(pse36: false).Reserved(1, isLeaf: true));

    [Fact]
    public void Without_pse_the_page_size_bit_is_ignored() => Assert.False(Bits32Format<Off>.IsLeaf(0x87, 1));

    private static EntryRules Rules(bool pse36)
    {
        var rules = new EntryRules();
        Bits32Format<On>.SetRules(rules, new ProcessorFeatures { PhysicalAddressBits = 40, PageSizeExtension36 = pse36 });
        return rules;
    }
}

/// <summary>Intel SDM Vol. 3C §28.3.2, tables 28-1 to 28-7: an entry says nothing of user mode.</summary>
public class EptFormatTests : FormatConformance<EptFormat>
{
    private static readonly EptSettings _narrow = new() { PhysicalAddressBits = 40, Pages1G = false };

    protected override AccessRights Always => AccessRights.User;

    protected override EntryRules NarrowRules { get; } = EptFormat.RulesFor(_narrow);

    protected override ulong ReservedBits(int level, bool isLeaf) => Reserved(level, isLeaf);

    [Fact]
    public void Bits_are_where_table_28_7_has_them()
        => Assert.Equal(0x5000UL | 0x300 | 0x30 | 3, EptFormat.LeafEntry(0x5000, 0, AccessRights.Read | AccessRights.Write, dirty: true));

    /// <summary>A leaf's type is 6 here: with bit 3 set too it is 7, which is reserved.</summary>
    internal static ulong Reserved(int level, bool isLeaf)
        => (level, isLeaf) switch
        {
            (0, _) => X64FourLevelTests.AddressAbove40 | 0x8,
            (1, true) => X64FourLevelTests.AddressAbove40 | 0x1F_F000 | 0x8,
            (2, true) => ulong.MaxValue,
            (1 or 2, false) => X64FourLevelTests.AddressAbove40 | 0x78,
            _ => X64FourLevelTests.AddressAbove40 | 0xF8,
        };
}

/// <summary>Intel SDM Vol. 3C §28.3.2: EPT with a page-walk length of 5.</summary>
public class FiveLevelEptTests : FormatConformance<FiveLevels<EptFormat>>
{
    protected override AccessRights Always => AccessRights.User;

    protected override EntryRules NarrowRules { get; } = EptFormat.RulesFor(new EptSettings { PhysicalAddressBits = 40, Pages1G = false });

    protected override ulong ReservedBits(int level, bool isLeaf) => EptFormatTests.Reserved(level, isLeaf);
}

/// <summary>AMD APM Vol. 2 §15.25: the entries of four-level paging as the host has it.</summary>
public class NptFormatTests : FormatConformance<NptFormat>
{
    protected override AccessRights Always => AccessRights.Read;

    protected override EntryRules NarrowRules { get; } = NptFormat.RulesFor(new NptSettings
    {
        Host = new ProcessorFeatures { Vendor = ProcessorVendor.Amd, PhysicalAddressBits = 40, Pages1G = false }, NoExecute = false,
    });

    protected override ulong ReservedBits(int level, bool isLeaf)
        => X64FourLevelTests.Reserved(level, isLeaf) | (level >= 3 ? 0x100UL : 0);
}
