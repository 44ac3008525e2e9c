using MemVirt.Cpu.Machine;

namespace MemVirt.Cpu.Tests.Machine.Interrupts.Apic;

/// <summary>The local APIC's timer (Intel SDM Vol. 3A §11.5.4), whose clock is 1 GHz here, with a time-stamp counter of 2.5 GHz.</summary>
public class ApicTimerTests
{
    private const uint OneShot = 0x60;
    private const uint Periodic = 0x2_0060;
    private const uint TscDeadline = 0x4_0060;
    private const uint Masked = 0x1_0000;
    private const uint DivideBy1 = 0x0B;
    private readonly ApicBed _bed = new ApicBed().Enabled();

    [Theory]
    [InlineData(0b0000, 2)]
    [InlineData(0b0001, 4)]
    [InlineData(0b0010, 8)]
    [InlineData(0b0011, 16)]
    [InlineData(0b1000, 32)]
    [InlineData(0b1001, 64)]
    [InlineData(0b1010, 128)]
    [InlineData(0b1011, 1)]
    public void One_shot_counts_at_the_divided_rate_and_interrupts_once(uint divide, int divisor)
    {
        _bed[0x3E0] = divide;
        _bed[0x320] = OneShot;
        _bed[0x380] = 1000;
        ulong end = 1000UL * (ulong)divisor;
        _bed.Clock.AdvanceTo(end / 4);
        Assert.Equal(750u, _bed[0x390]);
        _bed.Clock.AdvanceTo(end - 1);
        Assert.Equal(1u, _bed[0x390]);
        Assert.False(_bed.Apic.IsPending);
        _bed.Clock.AdvanceTo(end);
        Assert.Equal(0u, _bed[0x390]);
        Assert.Equal(0x60, _bed.Apic.Acknowledge());
        _bed[0xB0] = 0;
        _bed.Clock.AdvanceTo(end * 10);
        Assert.False(_bed.Apic.IsPending);
        Assert.Equal(1000u, _bed[0x380]);
    }

    [Fact]
    public void Periodic_reloads_and_never_drifts()
    {
        _bed[0x3E0] = DivideBy1;
        _bed[0x320] = Periodic;
        _bed.Clock.AdvanceTo(77);
        _bed[0x380] = 1000;
        for (ulong period = 1; period < 100; period++)
        {
            _bed.Clock.AdvanceTo(77 + (1000 * period) - 1);
            Assert.Equal(1u, _bed[0x390]);
            Assert.False(_bed.Apic.IsPending);
            _bed.Clock.AdvanceTo(77 + (1000 * period));
            Assert.Equal(1000u, _bed[0x390]);
            Assert.Equal(0x60, _bed.Apic.Acknowledge());
            _bed[0xB0] = 0;
        }
    }

    [Fact]
    public void A_masked_timer_counts_without_a_deadline_of_the_clock_and_its_interrupts_are_lost()
    {
        _bed[0x3E0] = DivideBy1;
        _bed[0x320] = Periodic | Masked;
        _bed[0x380] = 1000;
        Assert.Equal(MachineClock.Never, _bed.Clock.NextDeadline);
        _bed.Clock.AdvanceTo(10_250);
        Assert.Equal(750u, _bed[0x390]);
        _bed[0x320] = Periodic;
        Assert.False(_bed.Apic.IsPending);
        Assert.Equal(11_000UL, _bed.Clock.NextDeadline);
    }

    [Fact]
    public void Software_that_disables_the_APIC_masks_the_timer_for_good()
    {
        _bed[0x320] = Periodic;
        _bed[0x380] = 1000;
        _bed[0xF0] = 0xFF;
        _bed.Enabled().Clock.AdvanceTo(10_000);
        Assert.False(_bed.Apic.IsPending);
        Assert.Equal(MachineClock.Never, _bed.Clock.NextDeadline);
    }

    [Fact]
    public void A_count_of_0_stops_it()
    {
        _bed[0x320] = Periodic;
        _bed[0x380] = 1000;
        _bed[0x380] = 0;
        Assert.Equal(0u, _bed[0x390]);
        Assert.Equal(MachineClock.Never, _bed.Clock.NextDeadline);
    }

    [Fact]
    public void A_new_divisor_takes_over_the_count()
    {
        _bed[0x3E0] = DivideBy1;
        _bed[0x320] = OneShot;
        _bed[0x380] = 1000;
        _bed.Clock.AdvanceTo(400);
        _bed[0x3E0] = 0;
        Assert.Equal(600u, _bed[0x390]);
        _bed.Clock.AdvanceTo(400 + 1199);
        Assert.False(_bed.Apic.IsPending);
        _bed.Clock.AdvanceTo(400 + 1200);
        Assert.True(_bed.Apic.IsPending);
    }

    [Fact]
    public void Periodic_made_one_shot_ends_with_its_period()
    {
        _bed[0x3E0] = DivideBy1;
        _bed[0x320] = Periodic;
        _bed[0x380] = 1000;
        _bed.Clock.AdvanceTo(1500);
        _bed.Apic.Acknowledge();
        _bed[0xB0] = 0;
        _bed[0x320] = OneShot;
        _bed.Clock.AdvanceTo(2000);
        Assert.Equal(0x60, _bed.Apic.Acknowledge());
        Assert.Equal(0u, _bed[0x390]);
        Assert.Equal(MachineClock.Never, _bed.Clock.NextDeadline);
    }

    [Fact]
    public void A_deadline_interrupts_when_the_time_stamp_counter_reaches_it_and_is_then_0()
    {
        _bed[0x320] = TscDeadline;
        _bed.Clock.AdvanceTo(1000);
        Assert.Equal(2500UL, _bed.TimeStamps.Value);
        _bed.WriteMsr(0x6E0, 10_001);
        Assert.Equal(10_001UL, _bed.ReadMsr(0x6E0));
        _bed.Clock.AdvanceTo(4000);
        Assert.False(_bed.Apic.IsPending);
        _bed.Clock.AdvanceTo(4001);
        Assert.Equal(0x60, _bed.Apic.Acknowledge());
        Assert.Equal(0UL, _bed.ReadMsr(0x6E0));
    }

    [Fact]
    public void A_deadline_that_is_past_interrupts_at_once_and_0_disarms()
    {
        _bed[0x320] = TscDeadline;
        _bed.Clock.AdvanceTo(1000);
        _bed.WriteMsr(0x6E0, 5000);
        _bed.WriteMsr(0x6E0, 0);
        _bed.Clock.AdvanceTo(5000);
        Assert.False(_bed.Apic.IsPending);
        _bed.WriteMsr(0x6E0, 1);
        Assert.Equal(1, _bed.Notified);
        Assert.Equal(0x60, _bed.Apic.Acknowledge());
        Assert.Equal(0UL, _bed.ReadMsr(0x6E0));
    }

    [Fact]
    public void A_deadline_of_all_ones_is_centuries_ahead()
    {
        _bed[0x320] = TscDeadline;
        _bed.WriteMsr(0x6E0, ulong.MaxValue);
        Assert.Equal(7_378_697_629_483_820_646UL, _bed.Clock.NextDeadline); // 2^64 - 1 counts of 0.4 ns
        _bed.TimeStamps.Adjust = 0x8000_0000_0000_0000;
        Assert.Equal(3_689_348_814_741_910_323UL, _bed.Clock.NextDeadline);
    }

    [Fact]
    public void A_masked_deadline_expires_unheard()
    {
        _bed[0x320] = TscDeadline | Masked;
        _bed.WriteMsr(0x6E0, 5000);
        _bed.Clock.AdvanceTo(2000);
        Assert.Equal(0UL, _bed.ReadMsr(0x6E0));
        _bed[0x320] = TscDeadline;
        Assert.False(_bed.Apic.IsPending);
    }

    [Fact]
    public void Deadlines_and_counts_exclude_each_other_and_a_change_between_them_disarms()
    {
        _bed.WriteMsr(0x6E0, 5000);
        Assert.Equal(0UL, _bed.ReadMsr(0x6E0));
        _bed[0x320] = OneShot;
        _bed[0x380] = 1000;
        _bed[0x320] = TscDeadline;
        Assert.Equal(0u, _bed[0x390]);
        _bed[0x380] = 1000;
        Assert.Equal(0u, _bed[0x380]);
        _bed.WriteMsr(0x6E0, 5000);
        _bed[0x320] = OneShot;
        Assert.Equal(0UL, _bed.ReadMsr(0x6E0));
        _bed.Clock.AdvanceTo(1_000_000);
        Assert.False(_bed.Apic.IsPending);
    }

    [Fact]
    public void A_write_of_the_time_stamp_counter_moves_the_deadline()
    {
        _bed[0x320] = TscDeadline;
        _bed.WriteMsr(0x6E0, 10_000);
        _bed.TimeStamps.Value = 7_500;
        Assert.Equal(7_500UL, _bed.TimeStamps.Adjust);
        Assert.Equal(1000UL, _bed.Clock.NextDeadline);
        _bed.TimeStamps.Adjust = 0;
        Assert.Equal(4000UL, _bed.Clock.NextDeadline);
        _bed.TimeStamps.Value = 10_000;
        Assert.True(_bed.Apic.IsPending);
    }
}
