using MemVirt.Cpu.Machine.Ports;

namespace MemVirt.Cpu.Tests.Machine.Ports;

/// <summary>The keyboard controller and its keyboard, as Linux's i8042 and atkbd speak to them, and port 0x92.</summary>
public class Keyboard8042Tests
{
    private readonly RecordedLines _lines = new();
    private readonly SystemControlPortA _control = new();
    private readonly Keyboard8042 _controller;
    private int _resets;

    public Keyboard8042Tests()
    {
        _control.ResetRequested = () => _resets++;
        _controller = new Keyboard8042(_lines.Line(1), _lines.Line(12), _control);
    }

    [Theory]
    [InlineData(0xAA, 0x55)] // self test
    [InlineData(0xAB, 0x00)] // keyboard interface test
    [InlineData(0xA9, 0x00)] // auxiliary interface test
    [InlineData(0x20, 0x65)] // command byte
    public void A_command_is_answered(byte command, byte answer)
    {
        Command(command);
        Assert.Equal(0x15u | 0x08, Status());
        Assert.Equal(answer, Data());
        Assert.Equal(0x14u | 0x08, Status());
    }

    [Fact]
    public void The_command_byte_and_the_RAM_keep_what_is_written()
    {
        Command(0x60);
        Data(0x74);
        Assert.Equal(0x14u, Status());
        Command(0x65);
        Data(0xA5);
        Command(0x20);
        Assert.Equal(0x74, Data());
        Command(0x25);
        Assert.Equal(0xA5, Data());
        Command(0x60);
        Data(0x00);
        Assert.Equal(0x10u, Status()); // no system flag
    }

    [Fact]
    public void A_command_takes_the_place_of_one_that_waits_for_its_byte()
    {
        Command(0x60);
        Command(0xAA);
        Assert.Equal(0x55, Data());
        Data(0xEE); // to the keyboard
        Assert.Equal(0xEE, Data());
        Command(0x20);
        Assert.Equal(0x65, Data());
    }

    [Fact]
    public void The_auxiliary_loop_gives_the_byte_back_as_the_mouses()
    {
        Command(0xD3);
        Data(0x5A);
        Assert.Equal(0x35u, Status());
        Assert.Equal(0x5A, Data());
        Command(0xD2);
        Data(0xA5);
        Assert.Equal(0x15u, Status());
        Assert.Equal(0xA5, Data());
    }

    [Fact]
    public void The_auxiliary_port_is_switched_in_the_command_byte_and_interrupts_on_its_own_line()
    {
        Command(0xA8);
        Command(0x20);
        Assert.Equal(0x45, Data());
        Command(0xA7);
        Command(0x20);
        Assert.Equal(0x65, Data());
        int keyboardRises = _lines.RisesOf(1);
        Command(0x60);
        Data(0x47);
        Command(0xD3);
        Data(0xA5);
        Assert.True(_lines.LevelOf(12));
        Assert.Equal(keyboardRises, _lines.RisesOf(1));
        Data();
        Assert.False(_lines.LevelOf(12));
    }

    [Fact]
    public void Nobody_answers_in_the_auxiliary_port()
    {
        Command(0xD4);
        Data(0xF2);
        Assert.Equal(0x75u, Status());
        Assert.Equal(0xFE, Data());
    }

    [Theory]
    [InlineData(new byte[] { 0xF2 }, new byte[] { 0xFA, 0xAB, 0x41 })]
    [InlineData(new byte[] { 0xF5 }, new byte[] { 0xFA })]
    [InlineData(new byte[] { 0xF4 }, new byte[] { 0xFA })]
    [InlineData(new byte[] { 0xF6 }, new byte[] { 0xFA })]
    [InlineData(new byte[] { 0xED, 0x07 }, new byte[] { 0xFA, 0xFA })]
    [InlineData(new byte[] { 0xF3, 0x00 }, new byte[] { 0xFA, 0xFA })]
    [InlineData(new byte[] { 0xF0, 0x00 }, new byte[] { 0xFA, 0xFA, 0x02 })]
    [InlineData(new byte[] { 0xF0, 0x03, 0xF0, 0x00 }, new byte[] { 0xFA, 0xFA, 0xFA, 0xFA, 0x03 })]
    [InlineData(new byte[] { 0xFF }, new byte[] { 0xFA, 0xAA })]
    [InlineData(new byte[] { 0xEE }, new byte[] { 0xEE })]
    [InlineData(new byte[] { 0x01 }, new byte[] { 0xFE })]
    public void The_keyboard_answers(byte[] bytes, byte[] answers)
    {
        foreach (byte value in bytes)
        {
            Data(value);
        }

        foreach (byte answer in answers)
        {
            Assert.Equal(0x15u, Status());
            Assert.Equal(answer, Data());
        }

        Assert.Equal(0x14u, Status());
    }

    [Fact]
    public void Untranslated_the_keyboard_is_AB_83()
    {
        Command(0x60);
        Data(0x04);
        Data(0xF2);
        Assert.Equal([0xFA, 0xAB, 0x83], [Data(), Data(), Data()]);
    }

    [Fact]
    public void Resend_repeats_the_last_byte()
    {
        Data(0xEE);
        Data();
        Data(0xFE);
        Assert.Equal(0xEE, Data());
    }

    [Fact]
    public void Each_byte_is_an_edge_of_IRQ_1()
    {
        Assert.Equal(2, _controller.Press([0x1E, 0x9E]));
        Assert.Equal(1, _lines.RisesOf(1));
        Assert.Equal(0x1E, Data());
        Assert.Equal(2, _lines.RisesOf(1));
        Assert.Equal(0x9E, Data());
        Assert.Equal(2, _lines.RisesOf(1));
        Assert.False(_lines.LevelOf(1));
    }

    [Fact]
    public void Without_its_interrupt_enabled_the_line_stays_low_until_it_is()
    {
        Command(0x60);
        Data(0x44);
        _controller.Press([0x1E]);
        Assert.False(_lines.LevelOf(1));
        Command(0x60);
        Data(0x45);
        Assert.True(_lines.LevelOf(1));
    }

    [Fact]
    public void A_disabled_keyboard_is_held_back_and_a_write_to_it_enables_it()
    {
        Command(0xAD);
        _controller.Press([0x1E]);
        Assert.Equal(0u, Status() & 1);
        Command(0x20);
        Assert.Equal(0x75, Data());
        Command(0xAE);
        Assert.Equal(0x1E, Data());
        Command(0xAD);
        Data(0xF2);
        Assert.Equal(0xFA, Data());
    }

    [Fact]
    public void Keys_are_taken_as_far_as_there_is_room_and_not_while_scanning_is_off()
    {
        byte[] codes = new byte[100];
        int taken = _controller.Press(codes);
        Assert.InRange(taken, 1, 99);
        for (int index = 0; index < taken; index++)
        {
            Assert.Equal(1u, Status() & 1);
            Data();
        }

        Assert.Equal(0u, Status() & 1);
        Data(0xF5);
        Assert.Equal(0xFA, Data());
        Assert.Equal(0, _controller.Press(codes));
    }

    [Theory]
    [InlineData(0xFE, 1)]
    [InlineData(0xF0, 1)]
    [InlineData(0xFF, 0)]
    [InlineData(0xFD, 0)]
    public void A_pulse_of_output_0_is_a_reset(byte command, int resets)
    {
        Command(command);
        Assert.Equal(resets, _resets);
    }

    [Fact]
    public void The_output_port_has_reset_and_A20()
    {
        Assert.True(_control.IsA20Enabled);
        Command(0xD1);
        Data(0xDD);
        Assert.False(_control.IsA20Enabled);
        Command(0xD0);
        Assert.Equal(0x01, Data() & 0x03);
        Command(0xD1);
        Data(0xDF);
        Assert.True(_control.IsA20Enabled);
        Assert.Equal(0, _resets);
        Command(0xD1);
        Data(0xDE);
        Assert.Equal(1, _resets);
    }

    [Fact]
    public void Port_92_has_A20_and_a_reset_that_is_an_edge()
    {
        Assert.Equal(0x02u, _control.Read(0x92, 1));
        _control.Write(0x92, 1, 0x00);
        Assert.False(_control.IsA20Enabled);
        _control.Write(0x92, 1, 0x03);
        Assert.True(_control.IsA20Enabled);
        Assert.Equal(1, _resets);
        _control.Write(0x92, 1, 0x03);
        Assert.Equal(1, _resets);
        Assert.Equal(0x03u, _control.Read(0x92, 1));
    }

    [Fact]
    public void Nothing_is_allocated()
        => Assert.Equal(0, Allocations.Of(() =>
        {
            Data(0xF2);
            Command(0xAA);
            _controller.Press([0x1E]);
            for (int index = 0; index < 6; index++)
            {
                Status();
                Data();
            }
        }));

    private uint Status() => _controller.Read(Keyboard8042.CommandPort, 1);

    private byte Data() => (byte)_controller.Read(Keyboard8042.DataPort, 1);

    private void Command(byte value) => _controller.Write(Keyboard8042.CommandPort, 1, value);

    private void Data(byte value) => _controller.Write(Keyboard8042.DataPort, 1, value);
}
