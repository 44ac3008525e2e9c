using MemVirt.Core.MemoryTypes;

namespace MemVirt.Core.Tests.MemoryTypes;

/// <summary>IA32_PAT and the bits that choose from it (Intel SDM Vol. 3A §11.12, §4.9.2).</summary>
public class PageAttributeTests
{
    [Fact]
    public void The_table_after_reset_is_WB_WT_UCminus_UC_twice()
    {
        string[] expected = ["WB", "WT", "UC-", "UC", "WB", "WT", "UC-", "UC"]; // table 11-12
        Assert.Equal(0x0007_0406_0007_0406UL, PageAttributeTable.Reset.Value);
        Assert.Equal(PageAttributeTable.Reset, default);
        for (int index = 0; index < 8; index++)
        {
            Assert.Equal(ManualTables.Parse(expected[index]), PageAttributeTable.Reset.TypeAt(index));
        }
    }

    [Fact]
    public void Each_byte_is_accepted_in_each_field_exactly_if_it_is_a_type()
    {
        for (int field = 0; field < 8; field++)
        {
            for (ulong value = 0; value < 256; value++)
            {
                ulong register = PageAttributeTable.Reset.Value & ~(0xFFUL << (8 * field)) | value << (8 * field);
                bool valid = value is 0 or 1 or 4 or 5 or 6 or 7; // table 11-10
                Assert.Equal(valid, PageAttributeTable.TryCreate(register, out PageAttributeTable table));
                Assert.Equal(valid ? register : PageAttributeTable.Reset.Value, table.Value);
                if (valid)
                {
                    Assert.Equal((MemoryType)value, table.TypeAt(field));
                }
            }
        }
    }

    [Theory]
    [InlineData(0x000UL, 0, 0)]
    [InlineData(0x008UL, 1, 1)] // PWT
    [InlineData(0x010UL, 2, 2)] // PCD
    [InlineData(0x018UL, 3, 3)]
    [InlineData(0x080UL, 4, 0)] // PAT of a PTE; PS of a larger page's entry
    [InlineData(0x1000UL, 0, 4)] // PAT of a larger page's entry; part of a PTE's address
    [InlineData(0x1098UL, 7, 7)]
    [InlineData(0xFFFF_FFFF_FFFF_EF67UL, 0, 0)] // no other bit counts
    public void PAT_PCD_and_PWT_choose_the_index(ulong entry, int small, int large)
    {
        Assert.Equal(small, PageAttributeBits.IndexOfPage(entry, largePage: false));
        Assert.Equal(large, PageAttributeBits.IndexOfPage(entry, largePage: true));
        Assert.Equal(small & 3, PageAttributeBits.IndexOfTable(entry));
    }
}
