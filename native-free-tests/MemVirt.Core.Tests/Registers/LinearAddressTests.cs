using MemVirt.Core.Registers;
using MemVirt.Core.Tests.Tlb;
using Xunit.Abstractions;

namespace MemVirt.Core.Tests.Registers;

/// <summary>
/// Canonicality and linear-address masking, against rules spelled out bit by bit (Intel ISE reference, "Linear Address Masking").
/// </summary>
public class LinearAddressTests(ITestOutputHelper output)
{
    private const ulong User57 = Cr3.LinearAddressMaskingUser57;
    private const ulong User48 = Cr3.LinearAddressMaskingUser48;
    private const ulong Supervisor = Cr4.LinearAddressMaskingSupervisor;

    [Theory]
    [InlineData("long", 0x0000_7FFF_FFFF_FFFFUL, true)]
    [InlineData("long", 0x0000_8000_0000_0000UL, false)]
    [InlineData("long", 0xFFFF_7FFF_FFFF_FFFFUL, false)]
    [InlineData("long", 0xFFFF_8000_0000_0000UL, true)]
    [InlineData("five", 0x0000_8000_0000_0000UL, true)]
    [InlineData("five", 0x00FF_FFFF_FFFF_FFFFUL, true)]
    [InlineData("five", 0x0100_0000_0000_0000UL, false)]
    [InlineData("five", 0xFEFF_FFFF_FFFF_FFFFUL, false)]
    [InlineData("five", 0xFF00_0000_0000_0000UL, true)]
    public void The_upper_bits_are_copies_of_the_highest_one_translated(string state, ulong pointer, bool canonical)
    {
        foreach (bool data in new[] { false, true })
        {
            Assert.Equal(canonical, LinearAddressRules.TryCanonicalize(pointer, RegisterStates.Named(state), data, out ulong linear));
            Assert.Equal(pointer, linear);
        }
    }

    [Theory]
    [InlineData("off")]
    [InlineData("32")]
    [InlineData("pae")]
    public void Outside_long_mode_a_pointer_is_cut_to_32_bits(string state)
    {
        PagingRegisters registers = RegisterStates.Named(state);
        registers.Cr4 |= Supervisor;
        Assert.True(LinearAddressRules.TryCanonicalize(0xDEAD_BEEF_8765_4321, registers, dataAccess: true, out ulong linear));
        Assert.Equal(0x8765_4321UL, linear);
        Assert.True(LinearAddressRules.TryCanonicalize(0x1_0000_0000, registers, dataAccess: false, out linear));
        Assert.Equal(0UL, linear);
    }

    [Theory]
    [InlineData("long", User57, 0UL, 0x7E00_7FFF_1234_5678UL, true, 0x0000_7FFF_1234_5678UL)] // bits 62:57 masked
    [InlineData("long", User57, 0UL, 0x0001_0000_0000_0000UL, false, 0x0001_0000_0000_0000UL)] // bit 48 is checked under LAM57
    [InlineData("long", User48, 0UL, 0x7FFF_7FFF_1234_5678UL, true, 0x0000_7FFF_1234_5678UL)] // bits 62:48 masked
    [InlineData("long", User48, 0UL, 0x0000_8000_0000_0000UL, false, 0x7FFF_8000_0000_0000UL)] // bit 47 differs from bit 63
    [InlineData("long", User57 | User48, 0UL, 0x0001_0000_0000_0000UL, false, 0x0001_0000_0000_0000UL)] // LAM_U57 wins
    [InlineData("five", User48, 0UL, 0x7FFF_7FFF_1234_5678UL, true, 0x0000_7FFF_1234_5678UL)] // LAM48 with five levels
    [InlineData("five", User48, 0UL, 0x0000_8000_0000_0000UL, false, 0x7FFF_8000_0000_0000UL)] // bit 47 must be 0
    [InlineData("five", User57, 0UL, 0x7EFF_FFFF_FFFF_FFFFUL, true, 0x00FF_FFFF_FFFF_FFFFUL)] // bits 62:57 masked
    [InlineData("five", User57, 0UL, 0x0100_0000_0000_0000UL, false, 0x7F00_0000_0000_0000UL)]
    [InlineData("long", User48, 0UL, 0x8000_8000_0000_0000UL, false, 0x8000_8000_0000_0000UL)] // supervisor pointer, LAM_SUP 0
    [InlineData("long", 0UL, Supervisor, 0x8000_8000_0000_0000UL, true, 0xFFFF_8000_0000_0000UL)] // four levels: bits 62:48
    [InlineData("long", 0UL, Supervisor, 0x8000_0000_0000_0000UL, false, 0x8000_0000_0000_0000UL)] // bit 47 differs from bit 63
    [InlineData("five", 0UL, Supervisor, 0x8100_8000_0000_0000UL, true, 0xFF00_8000_0000_0000UL)]
    [InlineData("five", 0UL, Supervisor, 0x8000_8000_0000_0000UL, false, 0x8000_8000_0000_0000UL)] // bit 56 differs from bit 63
    [InlineData("long", 0UL, Supervisor, 0x7FFF_0000_0000_0000UL, false, 0x7FFF_0000_0000_0000UL)] // user pointer, LAM off for it
    public void Metadata_is_masked_before_the_check(
        string state, ulong cr3, ulong cr4, ulong pointer, bool canonical, ulong linear)
    {
        PagingRegisters registers = RegisterStates.Named(state);
        registers.Cr3 |= cr3;
        registers.Cr4 |= cr4;
        Assert.Equal(canonical, LinearAddressRules.TryCanonicalize(pointer, registers, dataAccess: true, out ulong found));
        Assert.Equal(linear, found);
    }

    [Fact]
    public void Fetches_are_never_masked()
    {
        PagingRegisters registers = RegisterStates.LongMode;
        registers.Cr3 |= User48;
        registers.Cr4 |= Supervisor;
        Assert.False(LinearAddressRules.TryCanonicalize(0x7FFF_0000_0000_0000, registers, dataAccess: false, out _));
        Assert.False(LinearAddressRules.TryCanonicalize(0x8000_8000_0000_0000, registers, dataAccess: false, out _));
        Assert.True(LinearAddressRules.TryCanonicalize(0xFFFF_8000_0000_0000, registers, dataAccess: false, out _));
    }

    [Fact]
    public void Every_boundary_pattern_agrees_with_the_rules_bit_by_bit()
    {
        foreach (PagingRegisters registers in AllModes())
        {
            for (int bit = 0; bit < 64; bit++)
            {
                ulong one = 1UL << bit;
                foreach (ulong pointer in new[] { one, ~one, one - 1, ~(one - 1), ulong.MaxValue << bit ^ (1UL << 63) })
                {
                    Compare(pointer, registers);
                }
            }
        }
    }

    [Fact]
    public void Random_pointers_agree_with_the_rules_bit_by_bit()
    {
        const ulong seed = 0x11A4;
        output.WriteLine($"seed 0x{seed:x}");
        var random = new SplitMix(seed);
        PagingRegisters[] modes = [.. AllModes()];
        int canonical = 0;
        for (int round = 0; round < 400_000; round++)
        {
            // Mostly few distinct upper bits, so that both answers are common.
            ulong low = random.Next() >> random.Below(64);
            ulong pointer = random.Chance(50) ? low : ~low;
            pointer ^= random.Chance(60) ? random.Next() & random.Next() & 0x7FFF_0000_0000_0000 : 0;
            canonical += Compare(pointer, modes[random.Below(modes.Length)]) ? 1 : 0;
        }

        Assert.InRange(canonical, 100_000, 350_000);
    }

    private static bool Compare(ulong pointer, in PagingRegisters registers)
    {
        var rules = new LinearAddressRules(registers);
        bool answer = false;
        foreach (bool data in new[] { false, true })
        {
            (bool canonical, ulong linear) = BitByBit(pointer, registers, data);
            answer = rules.TryCanonicalize(pointer, data, out ulong found);
            Assert.True(canonical == answer && linear == found, $"0x{pointer:x}, data {data}, {registers}: 0x{found:x} {answer}");
        }

        return answer;
    }

    // The manual's rule with an array of bits.
    private static (bool Canonical, ulong Linear) BitByBit(ulong pointer, in PagingRegisters registers, bool data)
    {
        bool[] bits = [.. Enumerable.Range(0, 64).Select(index => (pointer >> index & 1) == 1)];
        bool five = (registers.Cr4 & Cr4.LinearAddress57) != 0;
        int metadataFrom = !data ? 63
            : bits[63] ? ((registers.Cr4 & Supervisor) == 0 ? 63 : five ? 57 : 48)
            : (registers.Cr3 & User57) != 0 ? 57
            : (registers.Cr3 & User48) != 0 ? 48 : 63;
        for (int index = metadataFrom; index < 63; index++)
        {
            bits[index] = bits[metadataFrom - 1];
        }

        bool canonical = bits.Skip(five ? 56 : 47).Distinct().Count() == 1;
        return (canonical, bits.Select((bit, index) => bit ? 1UL << index : 0).Aggregate((all, bit) => all | bit));
    }

    private static IEnumerable<PagingRegisters> AllModes()
        => from five in new[] { false, true }
           from user in new[] { 0UL, User48, User57, User48 | User57 }
           from supervisor in new[] { 0UL, Supervisor }
           let registers = five ? RegisterStates.FiveLevel : RegisterStates.LongMode
           select registers with { Cr3 = registers.Cr3 | user, Cr4 = registers.Cr4 | supervisor };
}
