using CsCheck;
using MemVirt.Core.Addresses;

namespace MemVirt.Core.Tests.Addresses;

public class AddressTests
{
    private const ulong LastLow = 0x00FF_FFFF_FFFF_FFFF;
    private const ulong FirstHigh = 0xFF00_0000_0000_0000;

    [Theory]
    [InlineData(0UL, true)]
    [InlineData(LastLow, true)]
    [InlineData(LastLow + 1, false)]
    [InlineData(FirstHigh - 1, false)]
    [InlineData(FirstHigh, true)]
    [InlineData(ulong.MaxValue, true)]
    public void An_address_has_equal_bits_63_to_56(ulong value, bool canonical)
    {
        Assert.Equal(canonical, GuestVirtualAddress.IsCanonical(value, GuestVirtualAddress.FiveLevelBits));
        if (canonical)
        {
            Assert.Equal(value, GuestVirtualAddress.Create(value).Value);
        }
        else
        {
            var thrown = Assert.Throws<ArgumentOutOfRangeException>(() => GuestVirtualAddress.Create(value));
            Assert.Contains($"0x{value:x}", thrown.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0x0000_7FFF_FFFF_FFFFUL, true)]
    [InlineData(0x0000_8000_0000_0000UL, false)]
    [InlineData(0xFFFF_7FFF_FFFF_FFFFUL, false)]
    [InlineData(0xFFFF_8000_0000_0000UL, true)]
    public void Canonical_for_four_levels_means_bits_63_to_47_are_equal(ulong value, bool canonical)
        => Assert.Equal(canonical, GuestVirtualAddress.IsCanonical(value));

    [Fact]
    public void Sign_extension_of_any_word_is_canonical_and_keeps_bits_47_to_0()
        => Gen.ULong.Sample(value =>
        {
            ulong extended = GuestVirtualAddress.SignExtend(value).Value;
            return GuestVirtualAddress.IsCanonical(extended) && (extended << 16) == (value << 16);
        });

    [Fact]
    public void A_physical_address_has_at_most_52_bits()
    {
        const ulong last = (1UL << 52) - 1;
        Assert.Equal(last, HostPhysicalAddress.Create(last).Value);
        Assert.Equal(last, GuestPhysicalAddress.Create(last).Value);
        Assert.Throws<ArgumentOutOfRangeException>(() => HostPhysicalAddress.Create(last + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => GuestPhysicalAddress.Create(last + 1));
    }

    [Theory]
    [InlineData(PageSize.Size4K, 0)]
    [InlineData(PageSize.Size2M, 1)]
    [InlineData(PageSize.Size1G, 2)]
    public void Page_number_and_offset_together_give_the_address(PageSize size, int leafLevel)
    {
        Assert.Equal(leafLevel, size.LeafLevel());
        Assert.Equal(size, PageSizeExtensions.AtLevel(leafLevel));
        Gen.ULong.Sample(value =>
        {
            var gva = GuestVirtualAddress.SignExtend(value);
            return (gva.PageNumber(size) * size.SizeBytes()) + gva.OffsetIn(size) == (gva.Value & ((1UL << 57) - 1))
                   && gva.OffsetIn(size) < size.SizeBytes();
        });
    }

    [Fact]
    public void Adding_past_the_canonical_hole_or_the_end_fails()
    {
        Assert.False(GuestVirtualAddress.Create(LastLow).TryAdd(1, out _));
        Assert.False(GuestVirtualAddress.Create(ulong.MaxValue).TryAdd(1, out _));
        Assert.True(GuestVirtualAddress.Create(FirstHigh).TryAdd(LastLow, out GuestVirtualAddress sum));
        Assert.Equal(ulong.MaxValue, sum.Value);
    }

    [Fact]
    public void Adding_to_a_physical_address_fails_exactly_above_52_bits()
        => Gen.Select(Gen.ULong[0, (1UL << 52) - 1], Gen.ULong).Sample((start, length) =>
        {
            bool fits = (UInt128)start + length < (UInt128)1 << 52;
            return GuestPhysicalAddress.Create(start).TryAdd(length, out GuestPhysicalAddress guest) == fits
                   && HostPhysicalAddress.Create(start).TryAdd(length, out HostPhysicalAddress host) == fits
                   && (!fits || (guest.Value == start + length && host.Value == start + length));
        });

    [Fact]
    public void Frames_are_of_4_KiB()
    {
        Assert.Equal(0x12345UL, GuestPhysicalAddress.Create(0x12345678).Frame());
        Assert.Equal(0x12345UL, HostPhysicalAddress.Create(0x12345678).Frame());
    }
}
