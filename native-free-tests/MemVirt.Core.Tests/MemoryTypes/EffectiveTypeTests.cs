using MemVirt.Core.MemoryTypes;
using MemVirt.Core.Registers;
using MemVirt.Core.Tests.Registers;
using static MemVirt.Core.Tests.MemoryTypes.ManualTables;

namespace MemVirt.Core.Tests.MemoryTypes;

/// <summary>Every combination of page, memory, EPT and nested types, against the manuals' tables.</summary>
public class EffectiveTypeTests
{
    private const ulong Ipat = 1UL << 6;

    [Fact]
    public void Intel_combines_PAT_and_MTRR_as_table_11_7_says()
    {
        Dictionary<(MemoryType, MemoryType), MemoryType> table = Read(IntelEffective);
        Assert.Equal(RangeTypes.Length * AttributeTypes.Length, table.Count);
        foreach (((MemoryType memory, MemoryType page), MemoryType effective) in table)
        {
            Assert.Equal(effective, EffectiveMemoryType.Intel(page, memory));
            Assert.Equal(effective, EffectiveMemoryType.Of(ProcessorVendor.Intel, page, memory, cacheDisable: false));
            Assert.Equal(MemoryType.Uncacheable, EffectiveMemoryType.Of(ProcessorVendor.Intel, page, memory, cacheDisable: true));
        }
    }

    [Fact]
    public void AMD_combines_PAT_and_MTRR_as_tables_7_11_and_15_20_say()
    {
        Dictionary<(MemoryType, MemoryType), MemoryType> table = Read(AmdEffective);
        Assert.Equal(RangeTypes.Length * (AttributeTypes.Length + 1), table.Count);
        foreach (((MemoryType memory, MemoryType page), MemoryType effective) in table)
        {
            Assert.Equal(effective, EffectiveMemoryType.Amd(page, memory));
            Assert.Equal(effective, EffectiveMemoryType.Of(ProcessorVendor.Amd, page, memory, cacheDisable: false));
        }
    }

    [Fact]
    public void EPT_combines_PAT_EPT_type_IPAT_and_CD_as_section_28_3_7_2_says()
    {
        Dictionary<(MemoryType, MemoryType), MemoryType> table = Read(IntelEffective);
        foreach (MemoryType page in AttributeTypes)
        {
            foreach (MemoryType ept in RangeTypes)
            {
                ulong leaf = 0x1_2345_6007 | ((ulong)ept << 3);
                Assert.Equal(table[(ept, page)], EptMemoryType.Effective(page, leaf, cacheDisable: false));
                Assert.Equal(ept, EptMemoryType.Effective(page, leaf | Ipat, cacheDisable: false));
                Assert.Equal(MemoryType.Uncacheable, EptMemoryType.Effective(page, leaf, cacheDisable: true));
                Assert.Equal(MemoryType.Uncacheable, EptMemoryType.Effective(page, leaf | Ipat, cacheDisable: true));
            }
        }
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(2, true)] // §28.3.3.1: 2, 3 and 7 are reserved
    [InlineData(3, true)]
    [InlineData(4, false)]
    [InlineData(5, false)]
    [InlineData(6, false)]
    [InlineData(7, true)]
    public void Reserved_EPT_types_are_a_misconfiguration(ulong type, bool misconfigured)
    {
        Assert.Equal(misconfigured, EptMemoryType.IsMisconfigured(type << 3));
        Assert.Equal(misconfigured, EptMemoryType.IsMisconfigured((type << 3) | 0xFFFF_FFFF_FFFF_FFC7));
    }

    [Fact]
    public void EPT_tables_are_UC_or_WB_by_their_pointer_and_UC_with_caches_off()
    {
        for (ulong type = 0; type < 8; type++)
        {
            ulong pointer = 0x1234_5018 | type;
            Assert.Equal(type is 0 or 6, EptMemoryType.IsValidForTables(pointer)); // §24.6.11
            Assert.Equal((MemoryType)type, EptMemoryType.OfTables(pointer, cacheDisable: false)); // §28.3.7.1
            Assert.Equal(MemoryType.Uncacheable, EptMemoryType.OfTables(pointer, cacheDisable: true));
        }
    }

    [Fact]
    public void Nested_paging_combines_guest_and_host_and_then_the_MTRR()
    {
        Dictionary<(MemoryType, MemoryType), MemoryType> nested = Read(AmdNested);
        Dictionary<(MemoryType, MemoryType), MemoryType> effective = Read(AmdEffective);
        Assert.Equal(AttributeTypes.Length * AttributeTypes.Length, nested.Count);
        foreach (((MemoryType guest, MemoryType host), MemoryType combined) in nested)
        {
            Assert.Equal(combined, NestedMemoryType.Combine(guest, host));
            foreach (MemoryType memory in RangeTypes)
            {
                MemoryType type = effective[(memory, combined)];
                Assert.Equal(type, NestedMemoryType.Effective(guest, host, memory, cacheDisable: false));
                bool cached = type is MemoryType.WriteBack or MemoryType.WriteProtected or MemoryType.WriteThrough;
                Assert.Equal(
                    cached ? MemoryType.CacheDisabled : type, NestedMemoryType.Effective(guest, host, memory, cacheDisable: true));
            }
        }
    }

    [Fact]
    public void No_stage_makes_memory_more_cacheable_than_another_allows_but_for_WC()
    {
        // APM §15.25.8: neither side can cache what the other does not; WC is the one that overrides.
        foreach (MemoryType guest in AttributeTypes)
        {
            foreach (MemoryType host in AttributeTypes)
            {
                MemoryType combined = NestedMemoryType.Combine(guest, host);
                bool bothCached = IsCached(guest) && IsCached(host);
                Assert.True(bothCached || !IsCached(combined), $"{guest} over {host}");
                Assert.Equal(guest == MemoryType.WriteCombining && IsCached(host), combined == MemoryType.WriteCombiningPlus);
            }
        }

        static bool IsCached(MemoryType type)
            => type is MemoryType.WriteBack or MemoryType.WriteProtected or MemoryType.WriteThrough;
    }

    [Fact]
    public void Rules_ask_the_PAT_and_the_MTRRs_and_the_entries()
    {
        // PAT with WC at 1 and WP at 5; host's PAT as after reset; memory is WT below 2 GiB, UC above.
        Assert.True(PageAttributeTable.TryCreate(0x0007_0506_0007_0106, out PageAttributeTable attributes));
        Assert.True(Mtrrs.TryCreate(0x800, [MtrrRange.Of(0, 1UL << 31, MemoryType.WriteThrough, 40)], [], 40, out Mtrrs? mtrrs));
        var intel = new MemoryTypeRules { PageAttributes = attributes, Mtrrs = mtrrs };
        MemoryTypeRules amd = intel with { Vendor = ProcessorVendor.Amd };

        Assert.Equal(MemoryType.WriteThrough, intel.Native(0, 0x1000));
        Assert.Equal(MemoryType.WriteCombining, intel.Native(1, 0x1000));
        Assert.Equal(MemoryType.Uncacheable, intel.Native(0, 1UL << 31));
        Assert.Equal(MemoryType.WriteProtected, intel.Native(5, 0x1000));
        Assert.Equal(MemoryType.CacheDisabled, amd.Native(5, 0x1000));
        Assert.Equal(MemoryType.WriteThrough, intel.Unpaged(0x1000));
        Assert.Equal(MemoryType.Uncacheable, intel.Unpaged(1UL << 31));
        Assert.Equal(MemoryType.WriteBack, intel.ThroughEpt(0, 6 << 3));
        Assert.Equal(MemoryType.WriteCombining, intel.ThroughEpt(1, 6 << 3));
        Assert.Equal(MemoryType.WriteBack, intel.ThroughEpt(1, (6 << 3) | Ipat));
        Assert.Equal(MemoryType.WriteCombiningPlus, amd.ThroughNpt(1, 0, 0x1000));
        Assert.Equal(MemoryType.WriteThrough, amd.ThroughNpt(0, 1, 0x1000)); // the host's index 1 is WT
        Assert.Equal(MemoryType.CacheDisabled, (amd with { CacheDisable = true }).ThroughNpt(0, 0, 0x1000));
        Assert.Equal(MemoryType.Uncacheable, (intel with { CacheDisable = true }).Native(0, 0x1000));
        Assert.Equal(MemoryType.Uncacheable, (intel with { CacheDisable = true }).ThroughEpt(0, 6 << 3));
    }

    [Fact]
    public void Rules_allocate_nothing_when_asked()
    {
        MtrrRange range = MtrrRange.Of(1UL << 31, 1UL << 31, MemoryType.Uncacheable, 40);
        Assert.True(Mtrrs.TryCreate(0x806, [range], [], 40, out Mtrrs? mtrrs));
        var rules = new MemoryTypeRules { Mtrrs = mtrrs };
        int types = 0;
        Assert.Equal(0, Allocations.Of(Ask));
        Assert.NotEqual(0, types);

        void Ask()
        {
            for (ulong page = 0; page < 2000; page++)
            {
                int index = (int)(page & 7);
                types += (int)rules.Native(index, page << 21) + (int)rules.ThroughEpt(index, 6 << 3);
                types += (int)rules.ThroughNpt(index, 0, page << 21);
                mtrrs.TryUniformType(page << 21, 1UL << 30, out MemoryType type);
                types += (int)type;
            }
        }
    }
}
