using MemVirt.Cpu.Machine;
using MemVirt.Cpu.Machine.Timers;

namespace MemVirt.Cpu.Tests.Machine.Timers;

/// <summary>The real-time clock (Motorola MC146818A) and the PC's CMOS RAM.</summary>
public class CmosRtcTests
{
    private const ulong Second = 1_000_000_000;
    private static readonly DateTime Start = new(2019, 12, 31, 23, 59, 50, DateTimeKind.Utc);
    private readonly MachineClock _clock = new();
    private readonly RecordedLines _lines = new();
    private readonly CmosRtc _rtc;

    public CmosRtcTests()
    {
        _rtc = new CmosRtc(_clock, _lines.Line(8), Start, 3UL << 30, 5UL << 30);
    }

    [Fact]
    public void It_shows_the_start_in_BCD_and_24_hours()
    {
        Assert.Equal([0x50, 0x59, 0x23, 0x03, 0x31, 0x12, 0x19, 0x20], Time());
        Assert.Equal(0x02, Get(0x0B));
        Assert.Equal(0x80, Get(0x0D));
    }

    [Fact]
    public void It_moves_with_virtual_time_over_the_end_of_a_century_decade_and_day()
    {
        _clock.AdvanceTo((10 * Second) - 1);
        Assert.Equal(0x59, Get(0x00));
        _clock.AdvanceTo(10 * Second);
        Assert.Equal([0x00, 0x00, 0x00, 0x04, 0x01, 0x01, 0x20, 0x20], Time());
        _clock.AdvanceTo((59UL * 86_400 * Second) + (10 * Second));
        Assert.Equal([0x00, 0x00, 0x00, 0x07, 0x29, 0x02, 0x20, 0x20], Time()); // a Saturday
    }

    [Fact]
    public void Binary_and_12_hours_are_chosen_by_register_B()
    {
        Set(0x0B, 0x04);
        Assert.Equal([50, 59, 0x80 | 11, 3, 31, 12, 19, 20], Time());
        Set(0x0B, 0x00);
        Assert.Equal(0x91, Get(0x04));
        Set(0x04, 0x12); // midnight
        Set(0x0B, 0x02);
        Assert.Equal(0x00, Get(0x04));
        Set(0x0B, 0x00);
        Set(0x04, 0x92); // noon
        Set(0x0B, 0x02);
        Assert.Equal(0x12, Get(0x04));
    }

    [Fact]
    public void An_update_is_in_progress_for_the_2228_microseconds_before_the_second_changes()
    {
        _clock.AdvanceTo(Second - 2_230_000);
        Assert.Equal(0x26, Get(0x0A));
        _clock.AdvanceTo(Second - 2_227_000);
        Assert.Equal(0xA6, Get(0x0A));
        _clock.AdvanceTo(Second - 1);
        Assert.Equal(0xA6, Get(0x0A));
        Assert.Equal(0x50, Get(0x00));
        _clock.AdvanceTo(Second);
        Assert.Equal(0x26, Get(0x0A));
        Assert.Equal(0x51, Get(0x00));
    }

    [Fact]
    public void SET_stops_updates_and_what_was_written_goes_on_from_there()
    {
        Set(0x0B, 0x92); // SET clears UIE
        Assert.Equal(0x82, Get(0x0B));
        _clock.AdvanceTo(5 * Second);
        Assert.Equal(0x50, Get(0x00));
        Set(0x00, 0x10);
        Set(0x08, 0x02); // 31 February, for now
        Set(0x07, 0x28);
        Set(0x0B, 0x02);
        _clock.AdvanceTo(7 * Second);
        Assert.Equal([0x12, 0x59, 0x23, 0x03, 0x28, 0x02, 0x19, 0x20], Time());
    }

    [Fact]
    public void What_passed_before_SET_counts()
    {
        _clock.AdvanceTo(2 * Second);
        Set(0x0B, 0x82);
        Assert.Equal(0x52, Get(0x00));
    }

    [Fact]
    public void The_divider_held_and_let_go_makes_the_next_second_half_a_second_later()
    {
        _clock.AdvanceTo(300_000_000);
        Set(0x0A, 0x70);
        _clock.AdvanceTo(5 * Second);
        Assert.Equal(0x50, Get(0x00));
        Set(0x0A, 0x26);
        _clock.AdvanceTo((5 * Second) + 499_900_000);
        Assert.Equal(0x50, Get(0x00));
        _clock.AdvanceTo((5 * Second) + 500_100_000);
        Assert.Equal(0x51, Get(0x00));
    }

    [Theory]
    [InlineData(0x26, 1024)]
    [InlineData(0x23, 8192)]
    [InlineData(0x2F, 2)]
    [InlineData(0x21, 256)]
    [InlineData(0x22, 128)]
    [InlineData(0x20, 0)]
    public void The_periodic_interrupt_has_the_rate_of_register_A(byte registerA, int perSecond)
    {
        Set(0x0A, registerA);
        Set(0x0B, 0x42);
        int interrupts = 0;
        while (_clock.NextDeadline <= Second)
        {
            _clock.AdvanceTo(_clock.NextDeadline);
            Assert.True(_lines.LevelOf(8));
            Assert.Equal(0xC0, Get(0x0C) & 0xC0);
            Assert.False(_lines.LevelOf(8));
            interrupts++;
        }

        Assert.Equal(perSecond, interrupts);
    }

    [Fact]
    public void The_update_interrupt_comes_with_each_second_once_register_C_is_read()
    {
        Set(0x0B, 0x12);
        _clock.AdvanceTo(Second - 1);
        Assert.False(_lines.LevelOf(8));
        _clock.AdvanceTo(Second);
        Assert.True(_lines.LevelOf(8));
        Assert.Equal(MachineClock.Never, _clock.NextDeadline); // until it is read, nothing can come of another
        _clock.AdvanceTo(3 * Second);
        Assert.Equal(1, _lines.RisesOf(8));
        Assert.Equal(0x90, Get(0x0C) & 0x90);
        Assert.Equal(0x00, Get(0x0C));
        _clock.AdvanceTo(4 * Second);
        Assert.Equal(2, _lines.RisesOf(8));
    }

    [Fact]
    public void Flags_are_set_without_their_interrupts()
    {
        _clock.AdvanceTo(Second);
        Assert.Equal(MachineClock.Never, _clock.NextDeadline);
        Assert.Equal(0x50, Get(0x0C)); // PF and UF; alarms at 00:00:00
        Assert.Equal(0, _lines.RisesOf(8));
    }

    [Theory]
    [InlineData(0x55, 0x59, 0x23, 5)]
    [InlineData(0x02, 0x00, 0x00, 12)]
    [InlineData(0xFF, 0xFF, 0xFF, 1)]
    [InlineData(0x07, 0xC0, 0xC0, 17)]
    public void The_alarm_interrupt_comes_when_all_that_care_match(byte second, byte minute, byte hour, int secondsLater)
    {
        Set(0x01, second);
        Set(0x03, minute);
        Set(0x05, hour);
        Set(0x0B, 0x22);
        _clock.AdvanceTo(((ulong)secondsLater * Second) - 1);
        Assert.False(_lines.LevelOf(8));
        _clock.AdvanceTo((ulong)secondsLater * Second);
        Assert.True(_lines.LevelOf(8));
        Assert.Equal(0xA0, Get(0x0C) & 0xA0);
    }

    [Fact]
    public void An_alarm_that_was_slept_through_shows_in_its_flag()
    {
        Set(0x05, 0x12);
        _clock.AdvanceTo(3600UL * 12 * Second);
        Assert.Equal(0x00, Get(0x0C) & 0x20);
        _clock.AdvanceTo(3600UL * 13 * Second);
        Assert.Equal(0x20, Get(0x0C) & 0x20);
    }

    [Fact]
    public void The_sizes_of_memory_are_in_their_registers()
    {
        Assert.Equal(640, Word(0x15));
        Assert.Equal(0xFFFF, Word(0x17));
        Assert.Equal(0xFFFF, Word(0x30));
        Assert.Equal(((3 << 30) - (16L << 20)) / 65536 & 0xFFFF, Word(0x34));
        Assert.Equal((5L << 30) / 65536, Word(0x5B) | (Get(0x5D) << 16));
        var small = new CmosRtc(_clock, _lines.Line(8), Start, 8UL << 20, 0);
        small.Write(0x70, 1, 0x18);
        Assert.Equal(7u * 1024 >> 8, small.Read(0x71, 1));
        small.Write(0x70, 1, 0x35);
        Assert.Equal(0u, small.Read(0x71, 1));
    }

    [Fact]
    public void The_checksum_covers_what_it_covers_in_a_PC()
    {
        int sum = 0;
        for (byte index = 0x10; index < 0x2E; index++)
        {
            sum += Get(index);
        }

        Assert.Equal(sum, (Get(0x2E) << 8) | Get(0x2F));
    }

    [Fact]
    public void The_index_port_masks_the_NMI_and_RAM_keeps_what_is_written()
    {
        _rtc.Write(0x70, 1, 0xC0);
        Assert.True(_rtc.IsNmiMasked);
        _rtc.Write(0x71, 1, 0x5A);
        Assert.Equal(0x5A, Get(0x40));
        Assert.False(_rtc.IsNmiMasked);
        Set(0x0D, 0x00);
        Assert.Equal(0x80, Get(0x0D));
    }

    [Fact]
    public void Nothing_is_allocated()
    {
        Set(0x0B, 0x72);
        Assert.Equal(0, Allocations.Of(() =>
        {
            _clock.AdvanceTo(_clock.Now + (86_401 * Second));
            for (byte index = 0; index < 0x40; index++)
            {
                Get(index);
            }

            Set(0x0B, 0x70);
        }));
    }

    private byte[] Time() => [Get(0), Get(2), Get(4), Get(6), Get(7), Get(8), Get(9), Get(0x32)];

    private int Word(byte index) => Get(index) | (Get((byte)(index + 1)) << 8);

    private byte Get(byte index)
    {
        _rtc.Write(0x70, 1, index);
        return (byte)_rtc.Read(0x71, 1);
    }

    private void Set(byte index, byte value)
    {
        _rtc.Write(0x70, 1, index);
        _rtc.Write(0x71, 1, value);
    }
}
