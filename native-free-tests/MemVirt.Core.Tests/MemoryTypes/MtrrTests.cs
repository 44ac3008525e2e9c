using MemVirt.Core.MemoryTypes;
using MemVirt.Core.Tests.Tlb;
using Xunit.Abstractions;

namespace MemVirt.Core.Tests.MemoryTypes;

/// <summary>Fixed and variable ranges (Intel SDM Vol. 3A §11.11).</summary>
public class MtrrTests(ITestOutputHelper output)
{
    private const int Width = 36;
    private const ulong Enabled = 0x800;
    private const ulong FixedEnabled = 0xC00;
    private static readonly ulong[] AllUncacheable = new ulong[MtrrFixedRanges.RegisterCount];

    [Theory]
    [InlineData("", "WB")] // §11.11.4.1 rule 3: the default
    [InlineData("UC", "UC")] // rule 2: one range
    [InlineData("WT", "WT")]
    [InlineData("WP", "WP")]
    [InlineData("WC", "WC")]
    [InlineData("WC WC", "WC")] // identical types
    [InlineData("WP WP WP", "WP")]
    [InlineData("UC WB", "UC")] // UC wins
    [InlineData("WC UC", "UC")]
    [InlineData("WT WB UC", "UC")]
    [InlineData("WT WB", "WT")] // WT and WB
    [InlineData("WB WT", "WT")]
    [InlineData("WB WT WB", "WT")]
    [InlineData("WC WB", "UC")] // undefined; UC here
    [InlineData("WP WB", "UC")]
    [InlineData("WP WB WT", "UC")]
    [InlineData("WT WP WB", "UC")]
    public void Overlapping_ranges_give_the_type_that_takes_precedence(string ranges, string expected)
    {
        string[] names = ranges.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Mtrrs mtrrs = Create(
            Enabled | 6, [.. names.Select(name => MtrrRange.Of(0x1000_0000, 0x10_0000, ManualTables.Parse(name), Width))]);
        Assert.Equal(ManualTables.Parse(expected), mtrrs.TypeOf(0x100F_FFFF));
        Assert.Equal(MemoryType.WriteBack, mtrrs.TypeOf(0x1010_0000));
        Assert.Equal(MemoryType.WriteBack, mtrrs.TypeOf(0x0FFF_FFFF));
    }

    [Fact]
    public void Disabled_MTRRs_make_all_memory_uncacheable()
    {
        Mtrrs off = Create(6, [MtrrRange.Of(0, 0x1_0000_0000, MemoryType.WriteBack, Width)]);
        foreach (Mtrrs mtrrs in new[] { off, Mtrrs.Disabled })
        {
            Assert.Equal(MemoryType.Uncacheable, mtrrs.TypeOf(0x1000));
            Assert.True(mtrrs.TryUniformType(0, 1UL << 30, out MemoryType type));
            Assert.Equal(MemoryType.Uncacheable, type);
        }
    }

    [Fact]
    public void Each_fixed_field_covers_its_own_addresses()
    {
        // Table 11-9: eight of 64 KiB, sixteen of 16 KiB, sixty-four of 4 KiB.
        int[] sizes = [.. Enumerable.Repeat(0x1_0000, 8), .. Enumerable.Repeat(0x4000, 16), .. Enumerable.Repeat(0x1000, 64)];
        ulong start = 0;
        for (int field = 0; field < sizes.Length; field++)
        {
            ulong end = start + (ulong)sizes[field];
            ulong[] registers = [.. AllUncacheable];
            registers[field / 8] = 5UL << (8 * (field % 8));
            Assert.True(Mtrrs.TryCreate(FixedEnabled | 6, [], registers, Width, out Mtrrs? mtrrs));
            Assert.Equal(MemoryType.WriteProtected, mtrrs.TypeOf(start));
            Assert.Equal(MemoryType.WriteProtected, mtrrs.TypeOf(end - 1));
            Assert.Equal(end == 0x10_0000 ? MemoryType.WriteBack : MemoryType.Uncacheable, mtrrs.TypeOf(end));
            Assert.True(start == 0 || mtrrs.TypeOf(start - 1) == MemoryType.Uncacheable);
            Assert.True(mtrrs.TryUniformType(start, end - start, out MemoryType type));
            Assert.Equal(MemoryType.WriteProtected, type);
            start = end;
        }

        Assert.Equal(0x10_0000UL, start);
    }

    [Fact]
    public void Fixed_ranges_win_over_variable_ones_only_while_they_are_enabled()
    {
        MtrrRange[] ranges = [MtrrRange.Of(0, 0x20_0000, MemoryType.WriteThrough, Width)];
        Assert.True(Mtrrs.TryCreate(FixedEnabled | 6, ranges, AllUncacheable, Width, out Mtrrs? on));
        Assert.True(Mtrrs.TryCreate(Enabled | 6, ranges, AllUncacheable, Width, out Mtrrs? off));
        Assert.Equal(MemoryType.Uncacheable, on.TypeOf(0xF_FFFF));
        Assert.Equal(MemoryType.WriteThrough, on.TypeOf(0x10_0000));
        Assert.Equal(MemoryType.WriteThrough, off.TypeOf(0xF_FFFF));
    }

    [Fact]
    public void A_large_page_over_several_types_is_no_uniform_one()
    {
        // §11.11.9: the first 2 MiB with fixed ranges that differ from the rest.
        Assert.True(Mtrrs.TryCreate(FixedEnabled | 6, [], AllUncacheable, Width, out Mtrrs? mtrrs));
        Assert.False(mtrrs.TryUniformType(0, 0x20_0000, out MemoryType type));
        Assert.Equal(MemoryType.Uncacheable, type);
        Assert.True(mtrrs.TryUniformType(0x20_0000, 0x20_0000, out type));
        Assert.Equal(MemoryType.WriteBack, type);
    }

    [Theory]
    [InlineData(0xC06UL, true)]
    [InlineData(0x802UL, false)] // table 11-8: reserved types
    [InlineData(0x803UL, false)]
    [InlineData(0x807UL, false)]
    [InlineData(0x816UL, false)]
    [InlineData(0x906UL, false)] // §11.11.2.1: bits 9:8 and 63:12
    [InlineData(0xA06UL, false)]
    [InlineData(0x1806UL, false)]
    [InlineData(0x8000_0000_0000_0806UL, false)]
    public void The_default_type_register_refuses_reserved_types_and_bits(ulong value, bool valid)
        => Assert.Equal(valid, Mtrrs.TryCreate(value, [], [], Width, out _));

    [Fact]
    public void Range_registers_refuse_reserved_types_and_bits()
    {
        MtrrRange good = MtrrRange.Of(0x1000_0000, 0x1000, MemoryType.WriteBack, Width);
        for (int bit = 0; bit < 64; bit++)
        {
            bool addressBit = bit is >= 12 and < Width;
            byte type = (byte)((good.Base ^ (1UL << bit)) & 0xFF);
            bool baseValid = addressBit || (bit < 8 && type is 0 or 1 or 4 or 5 or 6);
            Assert.Equal(baseValid, (good with { Base = good.Base ^ (1UL << bit) }).IsWritable(Width));
            Assert.Equal(addressBit || bit == 11, (good with { Mask = good.Mask ^ (1UL << bit) }).IsWritable(Width));
        }

        Assert.False(Mtrrs.TryCreate(Enabled, [good, new MtrrRange(2, 0)], [], Width, out _));
        ulong[] bad = [.. AllUncacheable];
        bad[10] = 7UL << 56;
        Assert.False(Mtrrs.TryCreate(Enabled, [], bad, Width, out _));
        Assert.False(Mtrrs.TryCreate(Enabled, [], new ulong[3], Width, out _));
    }

    [Fact]
    public void A_range_that_is_not_valid_covers_nothing()
    {
        MtrrRange range = MtrrRange.Of(0, 0x1000_0000, MemoryType.WriteThrough, Width);
        Mtrrs mtrrs = Create(Enabled | 6, [range with { Mask = range.Mask & ~0x800UL }]);
        Assert.Equal(MemoryType.WriteBack, mtrrs.TypeOf(0x1000));
    }

    [Fact]
    public void Random_ranges_agree_page_by_page_with_the_manuals_sentences()
    {
        const ulong seed = 0x377B;
        output.WriteLine($"seed 0x{seed:x}");
        var random = new SplitMix(seed);
        int uniform = 0, mixed = 0;
        for (int round = 0; round < 400; round++)
        {
            MtrrRange[] ranges = [.. Enumerable.Range(0, random.Below(6)).Select(_ => RandomRange(random))];
            ulong[] registers = [.. Enumerable.Range(0, MtrrFixedRanges.RegisterCount).Select(_ => RandomFixed(random))];
            ulong control = (random.Chance(95) ? Enabled : 0) | (random.Chance(50) ? 0x400UL : 0) | (ulong)RandomType(random);
            Assert.True(Mtrrs.TryCreate(control, ranges, registers, Width, out Mtrrs? mtrrs));
            for (int probe = 0; probe < 60; probe++)
            {
                ulong pages = 1UL << random.Below(10);
                ulong start = ((ulong)random.Below(0x1000) & ~(pages - 1)) << 12;
                MemoryType[] types = [.. Enumerable.Range(0, (int)pages)
                    .Select(page => Literal(start + ((ulong)page << 12), control, ranges, registers))];
                Assert.Equal(types[0], mtrrs.TypeOf(start + (ulong)random.Below(0x1000)));
                bool same = types.Distinct().Count() == 1;
                Assert.Equal(same, mtrrs.TryUniformType(start, pages << 12, out MemoryType type));
                Assert.Equal(same ? types[0] : MemoryType.Uncacheable, type);
                uniform += same ? 1 : 0;
                mixed += same ? 0 : 1;
            }
        }

        Assert.True(uniform > 1000 && mixed > 1000, $"{uniform} uniform, {mixed} mixed");
    }

    // §11.11.4.1 read aloud.
    private static MemoryType Literal(ulong address, ulong control, MtrrRange[] ranges, ulong[] registers)
    {
        if ((control & Enabled) == 0)
        {
            return MemoryType.Uncacheable;
        }

        if (address < 0x10_0000 && (control & 0x400) != 0)
        {
            ulong[] starts = [.. Steps(0, 0x1_0000, 8), .. Steps(0x8_0000, 0x4000, 16), .. Steps(0xC_0000, 0x1000, 64)];
            int field = Array.FindLastIndex(starts, start => start <= address);
            return (MemoryType)BitConverter.GetBytes(registers[field / 8])[field % 8];
        }

        MemoryType[] types = [.. ranges
            .Where(range => (range.Mask & 0x800) != 0)
            .Where(range => (address & (range.Mask >> 12 << 12)) == (range.Base & (range.Mask >> 12 << 12)))
            .Select(range => (MemoryType)(range.Base & 7)).Distinct().Order()];
        return types.Length switch
        {
            0 => (MemoryType)(control & 7),
            1 => types[0],
            2 when types is [MemoryType.WriteThrough, MemoryType.WriteBack] => MemoryType.WriteThrough,
            _ => MemoryType.Uncacheable,
        };
    }

    private static IEnumerable<ulong> Steps(ulong start, ulong size, int count)
        => Enumerable.Range(0, count).Select(step => start + (size * (ulong)step));

    // Within the first 16 MiB; one in four has a mask with holes.
    private static MtrrRange RandomRange(SplitMix random)
    {
        ulong length = 0x1000UL << random.Below(12);
        MtrrRange range = MtrrRange.Of((random.Next() & 0xFF_F000) & ~(length - 1), length, RandomType(random), Width);
        ulong holes = random.Chance(25) ? random.Next() & 0xFF_F000 : 0;
        ulong invalid = random.Chance(10) ? 0x800UL : 0;
        return range with { Mask = range.Mask & ~holes & ~invalid };
    }

    private static ulong RandomFixed(SplitMix random)
        => random.Chance(50) ? 0x0606_0606_0606_0606
            : Enumerable.Range(0, 8).Aggregate(0UL, (all, field) => all | (ulong)RandomType(random) << (8 * field));

    private static MemoryType RandomType(SplitMix random) => ManualTables.RangeTypes[random.Below(ManualTables.RangeTypes.Length)];

    private static Mtrrs Create(ulong control, MtrrRange[] ranges)
    {
        Assert.True(Mtrrs.TryCreate(control, ranges, [], Width, out Mtrrs? mtrrs));
        return mtrrs;
    }
}
