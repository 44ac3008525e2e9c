using MemVirt.Cpu.Machine;
using MemVirt.Cpu.Machine.Timers;

namespace MemVirt.Cpu.Tests.Machine.Timers;

/// <summary>The 8254 through its ports and the clock (Intel datasheet 231164), and port 0x61.</summary>
public class Pit8254Tests
{
    private readonly MachineClock _clock = new();
    private readonly RecordedLines _lines = new();
    private readonly Pit8254 _pit;
    private readonly SystemControlPortB _portB;

    public Pit8254Tests()
    {
        _pit = new Pit8254(_clock, _lines.Line(0));
        _portB = new SystemControlPortB(_pit);
    }

    [Fact]
    public void Rate_generator_raises_the_line_with_the_pulse_of_each_period_and_never_drifts()
    {
        const ulong divisor = 11932; // 100 Hz, nearly
        Program(0x34, 0x40, (int)divisor);
        int before = _lines.RisesOf(0); // OUT itself went high
        for (ulong period = 1; period <= 1000; period++)
        {
            ulong edge = TimeOfPulse(1 + (period * divisor));
            _clock.AdvanceTo(edge - 1);
            Assert.Equal(before + (int)period - 1, _lines.RisesOf(0));
            _clock.AdvanceTo(edge);
            Assert.Equal(before + (int)period, _lines.RisesOf(0));
        }
    }

    [Fact]
    public void A_clock_that_leaps_delivers_every_edge()
    {
        Program(0x34, 0x40, 1193);
        int before = _lines.RisesOf(0);
        _clock.AdvanceTo(1_000_000_000);
        Assert.Equal(before + ((1_193_182 - 1) / 1193), _lines.RisesOf(0));
    }

    [Fact]
    public void A_software_strobe_is_one_edge()
    {
        Program(0x38, 0x40, 100); // Linux's one-shot
        int before = _lines.RisesOf(0);
        _clock.AdvanceTo(TimeOfPulse(102) - 1);
        Assert.Equal(before, _lines.RisesOf(0));
        _clock.AdvanceTo(TimeOfPulse(102)); // load, 100 to 0, and the low pulse is over
        Assert.Equal(before + 1, _lines.RisesOf(0));
        _clock.AdvanceTo(1_000_000_000);
        Assert.Equal(before + 1, _lines.RisesOf(0));
        Assert.Equal(MachineClock.Never, _clock.NextDeadline);
    }

    [Fact]
    public void Counters_1_and_2_need_no_timer()
    {
        Program(0x74, 0x41, 18);
        Program(0xB6, 0x42, 1000);
        Assert.Equal(MachineClock.Never, _clock.NextDeadline);
    }

    [Fact]
    public void A_latched_count_stays_while_the_counter_runs_and_until_both_bytes_are_read()
    {
        Program(0x34, 0x40, 0x2000);
        _clock.AdvanceTo(TimeOfPulse(1 + 0x100));
        Write(0x43, 0x00);
        _clock.AdvanceTo(TimeOfPulse(1 + 0x234));
        Write(0x43, 0x00); // is ignored: one is latched
        Assert.Equal(0x1F00u, ReadWord(0x40));
        Assert.Equal(0x2000u - 0x234, ReadWord(0x40));
    }

    [Fact]
    public void Read_back_latches_status_before_count_and_of_the_chosen_counters_only()
    {
        Program(0x34, 0x40, 0x2000);
        Write(0x43, 0xC0 | (1 << 1)); // count and status of counter 0
        Assert.Equal(0x80u | 0x40 | 0x34, Read(0x40)); // OUT high, null count
        _clock.AdvanceTo(TimeOfPulse(1));
        _ = ReadWord(0x40);
        Write(0x43, 0xE0 | (1 << 1)); // status
        Assert.Equal(0x80u | 0x34, Read(0x40));
        Assert.Equal(0x2000u, ReadWord(0x40));
        Write(0x43, 0xE0 | (1 << 2)); // counter 1's
        Assert.Equal(0x2000u, ReadWord(0x40));
    }

    [Fact]
    public void A_control_word_forgets_what_is_latched_and_half_read_or_written()
    {
        Program(0x34, 0x40, 0x2000);
        _clock.AdvanceTo(TimeOfPulse(1));
        Write(0x43, 0xC0 | (1 << 1));
        Write(0x40, 0x55);
        Program(0x34, 0x40, 0x1234);
        _clock.AdvanceTo(TimeOfPulse(2));
        Assert.Equal(0x34u, Read(0x40));
        Program(0x34, 0x40, 0x5678);
        _clock.AdvanceTo(TimeOfPulse(3));
        Assert.Equal(0x5678u, ReadWord(0x40));
    }

    [Fact]
    public void Decimal_counts_are_written_and_read_as_digits()
    {
        Program(0x35, 0x40, 0x1000);
        _clock.AdvanceTo(TimeOfPulse(2));
        Assert.Equal(0x0999u, ReadWord(0x40));
        Program(0x35, 0x40, 0x0000); // 10000
        ulong loaded = PulseNow() + 1;
        _clock.AdvanceTo(TimeOfPulse(loaded + 1));
        Assert.Equal(0x9999u, ReadWord(0x40));
    }

    [Theory]
    [InlineData(0x14, 0x80, 0x80u)] // low byte only
    [InlineData(0x24, 0x80, 0x8000u)] // high byte only
    public void A_single_byte_is_the_whole_count(byte control, byte count, uint expected)
    {
        Write(0x43, control);
        Write(0x40, count);
        _clock.AdvanceTo(TimeOfPulse(1));
        Write(0x43, 0xE0 | (1 << 1));
        Assert.Equal(0u, Read(0x40) & 0x40); // loaded by one byte
        Assert.Equal((control & 0x20) != 0 ? expected >> 8 : expected, Read(0x40));
    }

    [Fact]
    public void The_first_of_two_bytes_stops_mode_0()
    {
        Program(0x30, 0x40, 1000);
        _clock.AdvanceTo(TimeOfPulse(500));
        Write(0x40, 10);
        _clock.AdvanceTo(TimeOfPulse(2000));
        Assert.False(_lines.LevelOf(0));
        Write(0x40, 0);
        _clock.AdvanceTo(TimeOfPulse(2000 + 1 + 10));
        Assert.True(_lines.LevelOf(0));
    }

    [Fact]
    public void Linux_quick_calibration_sees_the_high_byte_fall_every_256_pulses()
    {
        WriteB(0x01);
        Program(0xB0, 0x42, 0xFFFF);
        for (uint high = 0xFF; high > 0; high--)
        {
            ulong first = TimeOfPulse(1 + ((0xFF - high) * 256UL));
            _clock.AdvanceTo(first);
            Assert.Equal((high << 8) | 0xFF, ReadWord(0x42));
            _clock.AdvanceTo(TimeOfPulse((0xFF - high + 1) * 256UL));
            Assert.Equal(high << 8, ReadWord(0x42));
        }
    }

    [Fact]
    public void Output_2_rises_exactly_when_the_gated_count_is_over()
    {
        const int latch = 11931; // 10 ms, as Linux calibrates
        WriteB(0x00);
        Program(0xB0, 0x42, latch);
        _clock.AdvanceTo(50_000_000);
        Assert.Equal(0u, ReadB() & 0x20); // the gate is off
        ulong gated = PulseNow();
        WriteB(0x01);
        ulong end = TimeOfPulse(gated + latch);
        _clock.AdvanceTo(end - 1);
        Assert.Equal(0u, ReadB() & 0x20);
        _clock.AdvanceTo(end);
        Assert.Equal(0x20u, ReadB() & 0x20);
    }

    [Fact]
    public void Port_61_keeps_its_low_bits_and_toggles_refresh_every_18_pulses()
    {
        WriteB(0xFF);
        Assert.Equal(0x0Fu, ReadB() & 0xCF);
        for (ulong toggle = 1; toggle < 100; toggle++)
        {
            uint before = ReadB() & 0x10;
            _clock.AdvanceTo(TimeOfPulse(toggle * 18) - 1);
            Assert.Equal(before, ReadB() & 0x10);
            _clock.AdvanceTo(TimeOfPulse(toggle * 18));
            Assert.NotEqual(before, ReadB() & 0x10);
        }
    }

    [Fact]
    public void Nothing_is_allocated()
    {
        Assert.Equal(0, Allocations.Of(() =>
        {
            Program(0x34, 0x40, 1193);
            Program(0xB6, 0x42, 1000);
            WriteB(1);
            _clock.AdvanceTo(_clock.Now + 10_000_000);
            Write(0x43, 0xC2);
            ReadWord(0x40);
            ReadB();
        }));
    }

    private static ulong TimeOfPulse(ulong pulse) => new Oscillator(Pit8254.Hertz).TimeOf(pulse);

    private ulong PulseNow() => new Oscillator(Pit8254.Hertz).TicksAt(_clock.Now);

    private void Program(byte control, ushort port, int count)
    {
        Write(0x43, control);
        Write(port, (byte)count);
        Write(port, (byte)(count >> 8));
    }

    private void Write(ushort port, byte value) => _pit.Write(port, 1, value);

    private uint Read(ushort port) => _pit.Read(port, 1);

    private uint ReadWord(ushort port) => Read(port) | (Read(port) << 8);

    private void WriteB(byte value) => _portB.Write(0x61, 1, value);

    private uint ReadB() => _portB.Read(0x61, 1);
}
