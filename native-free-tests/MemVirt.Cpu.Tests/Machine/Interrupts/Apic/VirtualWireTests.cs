namespace MemVirt.Cpu.Tests.Machine.Interrupts.Apic;

/// <summary>The 8259A pair behind the local APIC's LINT0.</summary>
public class VirtualWireTests
{
    private const uint ExtInt = 0x700;
    private readonly ApicBed _bed = new();

    [Theory]
    [InlineData(0xFEE0_0900UL, 0x0FFu, 0x1_0000u, true)] // as after reset
    [InlineData(0xFEE0_0100UL, 0x1FFu, 0x1_0000u, true)] // globally disabled
    [InlineData(0xFEE0_0900UL, 0x1FFu, 0x1_0000u, false)] // enabled, LINT0 masked
    [InlineData(0xFEE0_0900UL, 0x1FFu, ExtInt, true)] // virtual wire
    [InlineData(0xFEE0_0900UL, 0x1FFu, 0x1_0000u | ExtInt, false)]
    public void The_8259A_passes_or_not(ulong apicBase, uint spurious, uint lint0, bool passes)
    {
        _bed[0xF0] = spurious;
        _bed[0x350] = lint0;
        _bed.WriteMsr(0x1B, apicBase);
        _bed.Pic.SetLine(4, true);
        Assert.Equal(passes, _bed.Apic.IsPending);
        Assert.Equal(passes ? 1 : 0, _bed.Notified);
        Assert.Equal(passes ? 0x34 : 0xFF, _bed.Apic.Acknowledge());
        Assert.Equal(!passes, _bed.Pic.IsPending);
    }

    [Fact]
    public void An_8259A_that_waits_is_heard_when_LINT0_lets_it_through()
    {
        _bed.Enabled().Pic.SetLine(4, true);
        Assert.Equal(0, _bed.Notified);
        _bed[0x350] = ExtInt;
        Assert.Equal(1, _bed.Notified);
        Assert.Equal(0x34, _bed.Apic.Acknowledge());
    }

    [Fact]
    public void Task_priority_does_not_hold_ExtINT_back()
    {
        _bed.Enabled();
        _bed[0x350] = ExtInt;
        _bed[0x80] = 0xFF;
        _bed.Pic.SetLine(4, true);
        Assert.True(_bed.Apic.IsPending);
    }

    [Fact]
    public void The_local_APICs_own_go_first_and_the_8259As_needs_no_EOI_here()
    {
        _bed.Enabled();
        _bed[0x350] = ExtInt;
        _bed.Pic.SetLine(4, true);
        _bed.SendToSelf(0x41);
        Assert.Equal(1, _bed.Notified);
        Assert.Equal(0x41, _bed.Apic.Acknowledge());
        Assert.Equal(0x34, _bed.Apic.Acknowledge());
        _bed[0xB0] = 0;
        Assert.Equal(0u, _bed[0x120]);
        Assert.Equal(0u, _bed[0x110]);
    }

    [Fact]
    public void Who_listens_hears_again_of_an_8259A_whose_request_went_and_came_back()
    {
        _bed.Pic.SetLine(4, true);
        _bed.Pic.SetLine(4, false);
        Assert.Equal(1, _bed.Notified);
        _bed.Pic.SetLine(4, true);
        Assert.Equal(2, _bed.Notified);
    }

    [Fact]
    public void LINT0_as_a_fixed_edge_is_its_own_vector_once()
    {
        _bed.Enabled();
        _bed[0x350] = 0x52;
        _bed.Pic.SetLine(4, true);
        Assert.Equal(0x52, _bed.Apic.Acknowledge());
        Assert.Equal(0u, _bed[0x1A0]);
        _bed[0xB0] = 0;
        Assert.False(_bed.Apic.IsPending);
        Assert.True(_bed.Pic.IsPending);
    }

    [Fact]
    public void LINT0_as_a_fixed_level_comes_again_after_EOI_until_it_falls()
    {
        _bed.Enabled();
        _bed[0x350] = 0x8052;
        _bed.Pic.SetLine(4, true);
        Assert.Equal(1u << 18, _bed[0x1A0]); // TMR
        Assert.Equal(0x52, _bed.Apic.Acknowledge());
        _bed[0xB0] = 0;
        Assert.Equal(0x52, _bed.Apic.Acknowledge());
        _bed.Pic.SetLine(4, false);
        _bed[0xB0] = 0;
        Assert.False(_bed.Apic.IsPending);
        Assert.Equal(0u, _bed[0x1A0]);
    }

    [Fact]
    public void LINT0_as_an_NMI_is_one()
    {
        int nmis = 0;
        _bed.Apic.NmiRequested = () => nmis++;
        _bed.Enabled();
        _bed[0x350] = 0x400;
        _bed.Pic.SetLine(4, true);
        Assert.Equal(1, nmis);
        Assert.False(_bed.Apic.IsPending);
    }
}
