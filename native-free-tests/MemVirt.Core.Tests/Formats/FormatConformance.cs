using MemVirt.Core.Access;
using MemVirt.Core.Formats;

namespace MemVirt.Core.Tests.Formats;

/// <summary>What every page-table format must do; a new format is a subclass that says which rights its leaves can express.</summary>
public abstract class FormatConformance<TFormat>
    where TFormat : struct, IPageTableFormat
{
    private const ulong Page = 0x000A_BCDE_C000_0000;

    /// <summary>The right that a present leaf always grants.</summary>
    protected abstract AccessRights Always { get; }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_table_entry_is_present_and_no_leaf(int level)
    {
        ulong entry = TFormat.TableEntry(Page);
        Assert.True(TFormat.IsPresent(entry));
        Assert.False(TFormat.IsLeaf(entry, level));
        Assert.Equal(AccessRights.All, TFormat.Rights(entry) & AccessRights.All);
        Assert.Equal(Page, TableGeometry.TableAddress(entry));
        Assert.Equal(TFormat.AccessedBit, entry & TFormat.AccessedBit);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_leaf_entry_is_a_leaf_at_its_level_with_the_rights_given(int level)
    {
        for (AccessRights asked = AccessRights.None; asked <= AccessRights.All; asked++)
        {
            AccessRights rights = asked | Always;
            if ((rights & ~AccessRights.User) == 0)
            {
                continue;
            }

            foreach (bool dirty in new[] { false, true })
            {
                ulong entry = TFormat.LeafEntry(Page, level, rights, dirty);
                Assert.True(TFormat.IsPresent(entry));
                Assert.True(TFormat.IsLeaf(entry, level));
                Assert.Equal(rights, TFormat.LeafRights(entry) & AccessRights.All);
                Assert.Equal(Page, TableGeometry.PageAddress(entry, level));
                Assert.Equal(dirty, (entry & TFormat.DirtyBit) != 0);
                Assert.Equal(TFormat.AccessedBit, entry & TFormat.AccessedBit);
            }
        }
    }

    [Fact]
    public void Zero_is_not_present_and_a_root_entry_is_never_a_leaf()
    {
        Assert.False(TFormat.IsPresent(0));
        Assert.False(TFormat.IsLeaf(ulong.MaxValue, TFormat.Levels - 1));
    }

    [Fact]
    public void Accessed_and_dirty_are_one_bit_each_and_apart()
    {
        Assert.Equal(1, System.Numerics.BitOperations.PopCount(TFormat.AccessedBit));
        Assert.Equal(1, System.Numerics.BitOperations.PopCount(TFormat.DirtyBit));
        Assert.NotEqual(TFormat.AccessedBit, TFormat.DirtyBit);
    }

    [Theory]
    [InlineData(0, 0x000F_FFFF_FFFF_F000UL)]
    [InlineData(1, 0x000F_FFFF_FFE0_0000UL)]
    [InlineData(2, 0x000F_FFFF_C000_0000UL)]
    public void A_page_address_is_bits_51_down_to_the_size(int level, ulong mask)
        => Assert.Equal(mask, TableGeometry.PageAddress(ulong.MaxValue, level));

    [Theory]
    [InlineData(3, 39)]
    [InlineData(2, 30)]
    [InlineData(1, 21)]
    [InlineData(0, 12)]
    public void An_entry_is_selected_by_nine_bits(int level, int shift)
    {
        Assert.Equal(0xFF8UL, TableGeometry.EntryOffset(0x1FFUL << shift, level));
        Assert.Equal(8UL, TableGeometry.EntryOffset(1UL << shift, level));
        Assert.Equal(0UL, TableGeometry.EntryOffset(~(0x1FFUL << shift), level));
    }
}

/// <summary>Intel SDM Vol. 3A §4.5.4: present is P, and a present page can be read.</summary>
public class X64FourLevelTests : FormatConformance<X64FourLevel>
{
    protected override AccessRights Always => AccessRights.Read;

    [Fact]
    public void Bits_are_where_table_4_20_has_them()
        => Assert.Equal(
            (1UL << 63) | 0x5000 | 0x67, X64FourLevel.LeafEntry(0x5000, 0, AccessRights.All & ~AccessRights.Execute, dirty: true));
}

/// <summary>Intel SDM Vol. 3C §28.3.2: an entry says nothing of user mode.</summary>
public class EptFormatTests : FormatConformance<EptFormat>
{
    protected override AccessRights Always => AccessRights.User;

    [Fact]
    public void Bits_are_where_table_28_7_has_them()
        => Assert.Equal(0x5000UL | 0x300 | 0x30 | 3, EptFormat.LeafEntry(0x5000, 0, AccessRights.Read | AccessRights.Write, dirty: true));
}

/// <summary>AMD APM Vol. 2 §15.25: the entries of four-level paging.</summary>
public class NptFormatTests : FormatConformance<NptFormat>
{
    protected override AccessRights Always => AccessRights.Read;
}
