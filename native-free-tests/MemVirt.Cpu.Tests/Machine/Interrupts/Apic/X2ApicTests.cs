using MemVirt.Cpu.Machine.Interrupts.Apic;

namespace MemVirt.Cpu.Tests.Machine.Interrupts.Apic;

/// <summary>IA32_APIC_BASE and the x2APIC MSRs (Intel SDM Vol. 3A §11.12).</summary>
public class X2ApicTests
{
    private const ulong Disabled = 0xFEE0_0100;
    private const ulong XApic = 0xFEE0_0900;
    private const ulong X2Apic = 0xFEE0_0D00;
    private const ulong Invalid = 0xFEE0_0500;
    private readonly ApicBed _bed = new();

    [Theory]
    [InlineData(Disabled, Disabled, true)]
    [InlineData(Disabled, XApic, true)]
    [InlineData(Disabled, X2Apic, false)]
    [InlineData(Disabled, Invalid, false)]
    [InlineData(XApic, Disabled, true)]
    [InlineData(XApic, XApic, true)]
    [InlineData(XApic, X2Apic, true)]
    [InlineData(XApic, Invalid, false)]
    [InlineData(X2Apic, Disabled, true)]
    [InlineData(X2Apic, XApic, false)]
    [InlineData(X2Apic, X2Apic, true)]
    [InlineData(X2Apic, Invalid, false)]
    public void The_transitions_of_the_manuals_figure(ulong from, ulong to, bool isAllowed)
    {
        _bed.WriteMsr(0x1B, from);
        Assert.Equal(isAllowed, _bed.Apic.TryWriteMsr(0x1B, to));
        Assert.Equal(isAllowed ? to : from, _bed.ReadMsr(0x1B));
        ApicMode expected = (isAllowed ? to : from) switch
        {
            Disabled => ApicMode.Disabled,
            XApic => ApicMode.XApic,
            _ => ApicMode.X2Apic,
        };
        Assert.Equal(expected, _bed.Apic.Mode);
    }

    [Theory]
    [InlineData(0x01)]
    [InlineData(0x80)]
    [InlineData(0x200)]
    [InlineData(1L << 40)]
    public void A_reserved_bit_of_the_base_is_GP(long bit)
    {
        Assert.False(_bed.Apic.TryWriteMsr(0x1B, XApic | (ulong)bit));
        Assert.Equal(XApic, _bed.ReadMsr(0x1B));
    }

    [Fact]
    public void The_base_moves_and_its_listener_hears()
    {
        int changes = 0;
        _bed.Apic.BaseChanged = () => changes++;
        Assert.Equal(LocalApic.DefaultBaseAddress, _bed.Apic.BaseAddress);
        _bed.WriteMsr(0x1B, XApic);
        Assert.Equal(0, changes);
        _bed.WriteMsr(0x1B, 0xFF_0000_0900);
        Assert.Equal(0xFF_0000_0000UL, _bed.Apic.BaseAddress);
        Assert.Equal(1, changes);
    }

    [Fact]
    public void Disabled_and_enabled_again_it_is_as_after_reset()
    {
        _bed.Enabled();
        _bed[0x80] = 0x20;
        _bed[0x320] = 0x2_0060;
        _bed[0x380] = 100;
        _bed.SendToSelf(0x41);
        _bed.WriteMsr(0x1B, Disabled);
        Assert.False(_bed.Apic.IsPending);
        Assert.Equal(0xFFFF_FFFFUL, _bed.Apic.Read(0xF0, 4));
        _bed.WriteMsr(0x1B, XApic);
        Assert.Equal((0xFFu, 0u, 0x1_0000u, 0u), (_bed[0xF0], _bed[0x80], _bed[0x320], _bed[0x380]));
    }

    [Fact]
    public void Only_in_x2APIC_mode_are_registers_MSRs_and_only_outside_it_memory()
    {
        Assert.False(_bed.Apic.TryReadMsr(0x808, out _));
        Assert.False(_bed.Apic.TryWriteMsr(0x808, 0));
        _bed[0x80] = 0x20;
        _bed.InX2Mode();
        Assert.Equal(0x20UL, _bed.ReadMsr(0x808));
        Assert.Equal(0xFFUL, _bed.Apic.Read(0x80, 1));
        _bed.Apic.Write(0x80, 4, 0x30);
        Assert.Equal(0x20UL, _bed.ReadMsr(0x808));
        _bed.WriteMsr(0x1B, Disabled);
        Assert.False(_bed.Apic.TryReadMsr(0x808, out _));
    }

    [Fact]
    public void Exactly_the_manuals_MSRs_can_be_read()
    {
        _bed.InX2Mode();
        for (uint msr = 0x800; msr <= 0x8FF; msr++)
        {
            bool expected = msr is 0x802 or 0x803 or 0x808 or 0x80A or 0x80D or 0x80F or (>= 0x810 and <= 0x828) or 0x830
                or (>= 0x832 and <= 0x839) or 0x83E;
            Assert.Equal((msr, expected), (msr, _bed.Apic.TryReadMsr(msr, out _)));
            Assert.True(LocalApic.HasMsr(msr));
        }

        Assert.False(LocalApic.HasMsr(0x7FF));
        Assert.False(LocalApic.HasMsr(0x900));
        Assert.False(_bed.Apic.TryReadMsr(0x10, out _));
        Assert.False(_bed.Apic.TryWriteMsr(0x10, 0));
    }

    [Fact]
    public void Exactly_the_manuals_MSRs_can_be_written_and_only_without_reserved_bits()
    {
        _bed.InX2Mode();
        _bed.WriteMsr(0x80F, 0x100);
        for (uint msr = 0x800; msr <= 0x8FF; msr++)
        {
            ulong writable = msr switch
            {
                0x808 or 0x83F => 0xFF,
                0x80F => 0x3FF,
                0x830 => 0xFFFF_FFFF_000C_CFFF,
                0x832 => 0x7_10FF,
                0x833 or 0x834 => 0x1_17FF,
                0x835 or 0x836 => 0x1_F7FF,
                0x837 => 0x1_10FF,
                0x838 => 0xFFFF_FFFF,
                0x83E => 0x0B,
                _ => 0,
            };
            bool takesZero = writable != 0 || msr is 0x80B or 0x828;
            Assert.Equal((msr, takesZero), (msr, _bed.Apic.TryWriteMsr(msr, 0)));
            for (int bit = 0; bit < 64; bit++)
            {
                bool expected = (writable >> bit & 1) != 0;
                Assert.Equal((msr, bit, expected), (msr, bit, _bed.Apic.TryWriteMsr(msr, 1UL << bit)));
            }
        }

        Assert.False(_bed.Apic.TryWriteMsr(0x832, 0x6_0040)); // the reserved timer mode
    }

    [Fact]
    public void Its_ID_is_0_and_its_logical_ID_follows_from_it()
    {
        _bed[0xD0] = 0x0600_0000;
        _bed.InX2Mode();
        Assert.Equal(0UL, _bed.ReadMsr(0x802));
        Assert.Equal(0x5_0014UL, _bed.ReadMsr(0x803));
        Assert.Equal(1UL, _bed.ReadMsr(0x80D));
    }

    [Theory]
    [InlineData(0x0000_0000_0000_0041UL, true)] // physical, own ID
    [InlineData(0xFFFF_FFFF_0000_0041UL, true)] // broadcast
    [InlineData(0x0000_00FF_0000_0041UL, false)] // no broadcast here
    [InlineData(0x0000_0001_0000_0841UL, true)] // logical
    [InlineData(0x0000_0002_0000_0841UL, false)]
    [InlineData(0x0001_0001_0000_0841UL, false)] // another cluster
    [InlineData(0x0000_0005_0004_0041UL, true)] // self
    public void A_command_is_one_write_of_64_bits(ulong command, bool reaches)
    {
        _bed.InX2Mode();
        _bed.WriteMsr(0x80F, 0x1FF);
        _bed.WriteMsr(0x830, command);
        Assert.Equal(command, _bed.ReadMsr(0x830));
        Assert.Equal(reaches, _bed.Apic.IsPending);
    }

    [Fact]
    public void The_self_IPI_register_EOI_and_ESR_do_as_in_memory()
    {
        _bed.InX2Mode();
        _bed.WriteMsr(0x80F, 0x1FF);
        _bed.WriteMsr(0x83F, 0x41);
        Assert.Equal(0x41, _bed.Apic.Acknowledge());
        Assert.Equal(2UL, _bed.ReadMsr(0x812));
        _bed.WriteMsr(0x80B, 0);
        Assert.Equal(0UL, _bed.ReadMsr(0x812));
        _bed.WriteMsr(0x83F, 0x01);
        _bed.WriteMsr(0x828, 0);
        Assert.Equal(0x60UL, _bed.ReadMsr(0x828));
    }
}
