using MemVirt.Cpu.Machine;
using MemVirt.Cpu.Machine.Ports;

namespace MemVirt.Cpu.Tests.Machine.Ports;

/// <summary>The 16550A (National PC16550D datasheet) and what Linux asks it in its probes.</summary>
public class Uart16550Tests
{
    private const byte Out2 = 0x08;
    private readonly MachineClock _clock = new();
    private readonly RecordedLines _lines = new();
    private readonly List<byte> _sent = [];
    private readonly Uart16550 _uart;

    public Uart16550Tests()
    {
        _uart = new Uart16550(_clock, _lines.Line(4), _sent.Add);
    }

    [Fact]
    public void At_rest_it_is_empty_ready_and_connected()
    {
        Assert.Equal(0x60, Get(5));
        Assert.Equal(0x01, Get(2));
        Assert.Equal(0xB0, Get(6));
        Set(2, 0x01);
        Assert.Equal(0xC1, Get(2));
        Set(2, 0x00);
        Assert.Equal(0x01, Get(2));
    }

    [Fact]
    public void What_is_sent_comes_out_at_once_and_in_order()
    {
        foreach (byte character in "Linux"u8)
        {
            Set(0, character);
            Assert.Equal(0x60, Get(5));
        }

        Assert.Equal("Linux"u8.ToArray(), _sent);
    }

    [Fact]
    public void The_divisor_is_behind_DLAB_and_hides_data_and_interrupt_enable()
    {
        Set(1, 0x05);
        Set(3, 0x83);
        Set(0, 0x34);
        Set(1, 0x12);
        Assert.Equal(0x34, Get(0));
        Assert.Equal(0x12, Get(1));
        Set(3, 0x03);
        Assert.Equal(0x05, Get(1));
        Assert.Equal(0x03, Get(3));
        Assert.Empty(_sent);
    }

    [Fact]
    public void Interrupt_enable_has_four_bits_modem_control_five_and_scratch_eight()
    {
        Set(1, 0xFF);
        Assert.Equal(0x0F, Get(1));
        Set(4, 0xFF);
        Assert.Equal(0x1F, Get(4));
        Set(7, 0xA5);
        Assert.Equal(0xA5, Get(7));
    }

    [Fact]
    public void Enabling_the_transmit_interrupt_of_an_empty_transmitter_raises_it_each_time()
    {
        Set(4, Out2);
        for (int time = 0; time < 2; time++)
        {
            Set(1, 0x02);
            Assert.True(_lines.LevelOf(4));
            Assert.Equal(0x02, Get(2));
            Assert.False(_lines.LevelOf(4)); // reading IIR was the acknowledge
            Assert.Equal(0x01, Get(2));
            Set(1, 0x00);
        }

        Set(1, 0x02);
        Get(2);
        Set(0, (byte)'x');
        Assert.True(_lines.LevelOf(4));
        Assert.Equal(0x02, Get(2));
    }

    [Theory]
    [InlineData(0x00)]
    [InlineData(Out2 | 0x10)]
    public void Without_OUT2_or_in_loopback_no_interrupt_leaves(byte modemControl)
    {
        Set(4, modemControl);
        Set(1, 0x02);
        Assert.False(_lines.LevelOf(4));
        Assert.Equal(0x02, Get(2));
    }

    [Fact]
    public void Without_a_FIFO_one_character_waits_and_the_rest_is_not_taken()
    {
        Set(4, Out2);
        Set(1, 0x01);
        Assert.Equal(1, _uart.Receive("abc"u8));
        Assert.Equal(0, _uart.ReceiveCapacity);
        Assert.Equal(0, _uart.Receive("bc"u8));
        Assert.True(_lines.LevelOf(4));
        Assert.Equal(0x04, Get(2));
        Assert.Equal(0x61, Get(5));
        Assert.Equal((byte)'a', Get(0));
        Assert.False(_lines.LevelOf(4));
        Assert.Equal(0x60, Get(5));
        Assert.Equal((byte)'a', Get(0)); // an empty register keeps its last
    }

    [Theory]
    [InlineData(0x01, 1)]
    [InlineData(0x41, 4)]
    [InlineData(0x81, 8)]
    [InlineData(0xC1, 14)]
    public void The_FIFO_interrupts_at_its_trigger_level_and_until_below_it(byte fifoControl, int trigger)
    {
        Set(2, fifoControl);
        Set(4, Out2);
        Set(1, 0x01);
        for (int count = 1; count <= trigger; count++)
        {
            Assert.False(_lines.LevelOf(4));
            Assert.Equal(1, _uart.Receive([(byte)count]));
        }

        Assert.True(_lines.LevelOf(4));
        Assert.Equal(0xC4, Get(2));
        Assert.Equal(1, Get(0));
        Assert.False(_lines.LevelOf(4));
    }

    [Fact]
    public void The_FIFO_takes_16_in_order()
    {
        Set(2, 0x01);
        byte[] bytes = [.. Enumerable.Range(1, 20).Select(value => (byte)value)];
        Assert.Equal(16, _uart.Receive(bytes));
        Assert.Equal(1, Get(0));
        Assert.Equal(1, _uart.Receive(bytes.AsSpan(16)));
        for (byte expected = 2; expected <= 17; expected++)
        {
            Assert.Equal(expected, Get(0));
        }

        Assert.Equal(0x60, Get(5));
    }

    [Fact]
    public void Characters_below_the_trigger_time_out_after_four_of_their_times()
    {
        Set(3, 0x83);
        Set(0, 1); // 115200 baud
        Set(1, 0);
        Set(3, 0x03); // 8N1: 10 bits
        Set(2, 0xC1);
        Set(4, Out2);
        Set(1, 0x01);
        _uart.Receive("ab"u8);
        const ulong timeout = 40UL * 1_000_000_000 / 115_200;
        _clock.AdvanceTo(timeout - 1);
        Assert.False(_lines.LevelOf(4));
        _clock.AdvanceTo(timeout);
        Assert.True(_lines.LevelOf(4));
        Assert.Equal(0xCC, Get(2));
        Get(0); // restarts it
        Assert.False(_lines.LevelOf(4));
        _clock.AdvanceTo(timeout * 2);
        Assert.True(_lines.LevelOf(4));
        Get(0);
        Assert.False(_lines.LevelOf(4));
        Assert.Equal(MachineClock.Never, _clock.NextDeadline);
    }

    [Theory]
    [InlineData(0x03)] // enabled, receiver reset
    [InlineData(0x00)] // switched off
    public void FCR_empties_the_receiver(byte fifoControl)
    {
        Set(2, 0x01);
        _uart.Receive("abc"u8);
        Set(2, fifoControl);
        Assert.Equal(0x60, Get(5));
    }

    [Fact]
    public void Loopback_ties_the_modem_lines_together_and_the_sender_to_the_receiver()
    {
        Set(4, 0x1A); // Linux's probe: loop, OUT2 and RTS
        Assert.Equal(0x90, Get(6) & 0xF0);
        Assert.Equal(0, _uart.ReceiveCapacity);
        Set(0, 0xAE);
        Assert.Equal(0xAE, Get(0));
        Assert.Empty(_sent);
        Set(4, 0x15); // DTR and OUT1: DSR and RI
        Assert.Equal(0x60, Get(6) & 0xF0);
        Set(4, 0x00);
        Assert.Equal(0xB0, Get(6) & 0xF0);
    }

    [Fact]
    public void A_change_of_a_modem_line_interrupts_once_and_reading_clears_it()
    {
        Set(4, 0x1F); // all four lines on: RI rises
        Assert.Equal(0xF0, Get(6) & 0xF4); // which is no trailing edge
        Set(4, 0x1B); // RI falls
        Assert.Equal(0xB4, Get(6));
        Set(4, 0x18); // CTS and DSR fall
        Set(1, 0x08);
        Assert.Equal(0x00, Get(2));
        Assert.Equal(0x83, Get(6));
        Assert.Equal(0x01, Get(2));
        Assert.Equal(0x80, Get(6));
    }

    [Fact]
    public void An_overrun_is_the_highest_interrupt_and_reading_LSR_clears_it()
    {
        Set(4, 0x10);
        Set(1, 0x07);
        Set(0, 1);
        Set(0, 2);
        Assert.Equal(0x06, Get(2));
        Assert.Equal(0x63, Get(5));
        Assert.Equal(0x61, Get(5));
        Assert.Equal(0x04, Get(2));
        Assert.Equal(2, Get(0)); // a single register has the last
        Assert.Equal(0x02, Get(2));
        Assert.Equal(0x01, Get(2));
        Set(2, 0x01);
        for (byte value = 0; value < 17; value++)
        {
            Set(0, value);
        }

        Assert.Equal(0x63, Get(5));
        Assert.Equal(0, Get(0)); // a FIFO keeps the first
    }

    [Fact]
    public void Nothing_is_allocated()
    {
        int sent = 0;
        var uart = new Uart16550(_clock, _lines.Line(3), _ => sent++);
        byte[] bytes = [1, 2, 3];
        Assert.Equal(0, Allocations.Of(() =>
        {
            uart.Write(0x2FA, 1, 0xC1);
            uart.Write(0x2F9, 1, 0x0F);
            uart.Write(0x2F8, 1, 'x');
            uart.Receive(bytes);
            _clock.AdvanceTo(_clock.Now + 100_000_000);
            uart.Read(0x2FA, 1);
            uart.Read(0x2F8, 1);
        }));
        Assert.NotEqual(0, sent);
    }

    private byte Get(int register) => (byte)_uart.Read((ushort)(Uart16550.Com1Port + register), 1);

    private void Set(int register, byte value) => _uart.Write((ushort)(Uart16550.Com1Port + register), 1, value);
}
