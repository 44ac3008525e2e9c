using MemVirt.Cpu.Machine.Interrupts;

namespace MemVirt.Cpu.Tests.Machine.Interrupts;

/// <summary>The 8259A pair (Intel datasheet 231468).</summary>
public class Pic8259Tests
{
    private const byte NonSpecificEoi = 0x20;
    private readonly Pic8259 _pic = new();
    private int _notified;

    public Pic8259Tests()
    {
        _pic.BecamePending = () => _notified++;
    }

    [Fact]
    public void An_edge_is_a_vector_then_in_service_until_its_EOI()
    {
        Initialise();
        _pic.SetLine(4, true);
        Assert.True(_pic.IsPending);
        Assert.Equal(0x10u, ReadRequests(0x20));
        Assert.Equal(0x34, _pic.Acknowledge());
        Assert.False(_pic.IsPending);
        Assert.Equal(0x10u, ReadInService(0x20));
        Assert.Equal(0u, ReadRequests(0x20));
        Out(0x20, NonSpecificEoi);
        Assert.Equal(0u, ReadInService(0x20));
        Assert.False(_pic.IsPending); // the line is still high: an edge counts once
        _pic.SetLine(4, false);
        _pic.SetLine(4, true);
        Assert.True(_pic.IsPending);
    }

    [Fact]
    public void Nothing_is_asked_for_before_the_initialisation_is_complete()
    {
        _pic.SetLine(4, true);
        Assert.False(_pic.IsPending);
        Out(0x20, 0x11);
        Out(0x21, 0x30);
        Out(0x21, 0x04);
        _pic.SetLine(4, false);
        _pic.SetLine(4, true);
        Assert.False(_pic.IsPending);
        Out(0x21, 0x01);
        Assert.True(_pic.IsPending);
    }

    [Fact]
    public void ICW1_forgets_edges_so_that_a_line_that_is_high_must_rise_again()
    {
        _pic.SetLine(4, true);
        Initialise();
        Assert.False(_pic.IsPending);
        _pic.SetLine(4, false);
        _pic.SetLine(4, true);
        Assert.True(_pic.IsPending);
    }

    [Theory]
    [InlineData(0x13, 0, 0x31)] // single, ICW4
    [InlineData(0x12, 0, 0x30)] // single, no ICW4
    [InlineData(0x10, 1, 0x30)] // cascade, no ICW4
    public void ICW1_says_which_words_follow(byte icw1, int icw3Count, byte expectedBase)
    {
        Out(0x20, icw1);
        Out(0x21, (byte)(expectedBase & 0xF8));
        for (int word = 0; word < icw3Count; word++)
        {
            Out(0x21, 0x04);
        }

        if ((icw1 & 1) != 0)
        {
            Out(0x21, 0x01);
        }

        Out(0x21, 0xFD); // now it is the mask
        Assert.Equal(0xFDu, _pic.Read(0x21, 1));
        _pic.SetLine(1, true);
        Assert.Equal((expectedBase & 0xF8) + 1, _pic.Acknowledge());
    }

    [Fact]
    public void The_slaves_inputs_come_through_input_2_and_need_both_EOIs()
    {
        Initialise();
        _pic.SetLine(10, true);
        Assert.Equal(0x3A, _pic.Acknowledge());
        Assert.Equal(0x04u, ReadInService(0x20));
        Assert.Equal(0x04u, ReadInService(0xA0));
        _pic.SetLine(11, true); // lower than 10
        _pic.SetLine(3, true); // lower than the slave
        Assert.False(_pic.IsPending);
        _pic.SetLine(1, true); // higher than the slave
        Assert.Equal(0x31, _pic.Acknowledge());
        Out(0x20, NonSpecificEoi);
        Out(0xA0, NonSpecificEoi);
        Assert.False(_pic.IsPending);
        Out(0x20, NonSpecificEoi);
        Assert.Equal(0x3B, _pic.Acknowledge());
        Out(0xA0, NonSpecificEoi);
        Out(0x20, NonSpecificEoi);
        Assert.Equal(0x33, _pic.Acknowledge());
    }

    [Fact]
    public void Two_requests_of_a_slave_with_automatic_EOI_are_two_interrupts()
    {
        Initialise(icw4: 0x03);
        _pic.SetLine(9, true);
        _pic.SetLine(14, true);
        Assert.Equal(0x39, _pic.Acknowledge());
        Assert.True(_pic.IsPending);
        Assert.Equal(0x3E, _pic.Acknowledge());
        Assert.False(_pic.IsPending);
    }

    [Fact]
    public void A_mask_holds_a_request_back_and_does_not_forget_it()
    {
        Initialise();
        Out(0x21, 0x10);
        _pic.SetLine(4, true);
        Assert.False(_pic.IsPending);
        Out(0x21, 0x00);
        Assert.True(_pic.IsPending);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(10)]
    public void A_request_that_falls_before_its_acknowledge_is_spurious_and_not_in_service(int irq)
    {
        Initialise();
        _pic.SetLine(irq, true);
        Assert.True(_pic.IsPending);
        _pic.SetLine(irq, false);
        Assert.False(_pic.IsPending);
        Assert.Equal(0x37, _pic.Acknowledge());
        Assert.Equal(0u, ReadInService(0x20));
        Assert.Equal(0u, ReadInService(0xA0));
    }

    [Fact]
    public void Input_7_itself_is_in_service()
    {
        Initialise();
        _pic.SetLine(15, true);
        Assert.Equal(0x3F, _pic.Acknowledge());
        Assert.Equal(0x80u, ReadInService(0xA0));
        Out(0xA0, NonSpecificEoi);
        Out(0x20, NonSpecificEoi);
        _pic.SetLine(7, true);
        Assert.Equal(0x37, _pic.Acknowledge());
        Assert.Equal(0x80u, ReadInService(0x20));
    }

    [Fact]
    public void A_level_input_asks_again_after_EOI_while_it_is_high()
    {
        Initialise();
        _pic.Write(0x4D0, 1, 0xFF);
        _pic.Write(0x4D1, 1, 0xFF);
        Assert.Equal(0xF8u, _pic.Read(0x4D0, 1)); // 0, 1 and 2 are edges
        Assert.Equal(0xDEu, _pic.Read(0x4D1, 1)); // 8 and 13 are edges
        _pic.SetLine(5, true);
        Assert.Equal(0x35, _pic.Acknowledge());
        Assert.False(_pic.IsPending);
        Out(0x20, NonSpecificEoi);
        Assert.Equal(0x35, _pic.Acknowledge());
        _pic.SetLine(5, false);
        Out(0x20, NonSpecificEoi);
        Assert.False(_pic.IsPending);
    }

    [Fact]
    public void Rotation_on_EOI_makes_the_served_input_the_lowest()
    {
        Initialise();
        _pic.SetLine(3, true);
        _pic.Acknowledge();
        Out(0x20, 0xA0); // rotate on non-specific EOI: 4 is now the highest
        Rise(3);
        Rise(4);
        Assert.Equal(0x34, _pic.Acknowledge());
        Out(0x20, 0xE4); // rotate on specific EOI of 4: 5 is the highest
        Rise(4);
        Rise(0);
        Assert.Equal(0x30, _pic.Acknowledge());
        Out(0x20, 0x60); // specific EOI of 0
        Out(0x20, 0xC2); // set priority: 2 the lowest, 3 the highest
        Assert.Equal(0x33, _pic.Acknowledge());
    }

    [Fact]
    public void Rotation_in_automatic_EOI_is_switched_on_and_off_by_OCW2()
    {
        Initialise(icw4: 0x03);
        Out(0x20, 0x80);
        Rise(0);
        Assert.Equal(0x30, _pic.Acknowledge());
        Assert.Equal(0u, ReadInService(0x20));
        Rise(0);
        Rise(1);
        Assert.Equal(0x31, _pic.Acknowledge()); // 0 is the lowest
        Out(0x20, 0x00);
        Assert.Equal(0x30, _pic.Acknowledge()); // and stays so
        Rise(0);
        Rise(1);
        Assert.Equal(0x30, _pic.Acknowledge()); // 1 was the lowest, and 0 did not become it
    }

    [Fact]
    public void Special_mask_lets_lower_inputs_through_one_that_is_masked_in_service()
    {
        Initialise();
        Rise(3);
        _pic.Acknowledge();
        Rise(6);
        Assert.False(_pic.IsPending);
        Out(0x21, 0x08);
        Assert.False(_pic.IsPending);
        Out(0x20, 0x68);
        Assert.True(_pic.IsPending);
        Out(0x20, NonSpecificEoi); // does not end what is masked
        Assert.Equal(0x08u, ReadInService(0x20));
        Out(0x20, 0x48);
        Assert.False(_pic.IsPending);
    }

    [Fact]
    public void Special_fully_nested_lets_a_higher_input_of_the_slave_interrupt_a_lower_one()
    {
        Initialise(icw4: 0x11);
        _pic.SetLine(12, true);
        Assert.Equal(0x3C, _pic.Acknowledge());
        _pic.SetLine(9, true);
        Assert.Equal(0x39, _pic.Acknowledge());
    }

    [Fact]
    public void A_poll_acknowledges_and_says_which()
    {
        Initialise();
        Out(0x20, 0x0C);
        Assert.Equal(0x00u, _pic.Read(0x20, 1));
        Rise(6);
        Out(0x20, 0x0C);
        Assert.Equal(0x86u, _pic.Read(0x20, 1));
        Assert.False(_pic.IsPending);
        Assert.Equal(0x40u, ReadInService(0x20));
    }

    [Fact]
    public void A_polled_slave_asks_again_for_its_second_request()
    {
        Initialise(icw4: 0x03);
        _pic.SetLine(9, true);
        _pic.SetLine(14, true);
        Out(0x20, 0x0C);
        Assert.Equal(0x82u, _pic.Read(0x20, 1));
        Assert.False(_pic.IsPending);
        _ = _pic.Read(0xA1, 1); // the mask: no acknowledge
        Assert.False(_pic.IsPending);
        Out(0xA0, 0x0C);
        Assert.Equal(0x81u, _pic.Read(0xA0, 1));
        Assert.Equal(0x3E, _pic.Acknowledge());
    }

    [Fact]
    public void ICW1_makes_input_0_the_highest_again_and_ends_everything()
    {
        Initialise();
        Rise(5);
        _pic.Acknowledge();
        Out(0x20, 0xC3); // 4 is the highest
        Initialise();
        Assert.Equal(0u, ReadInService(0x20));
        Rise(4);
        Rise(1);
        Assert.Equal(0x31, _pic.Acknowledge());
    }

    [Fact]
    public void Who_listens_hears_only_of_becoming_pending()
    {
        Initialise();
        _pic.SetLine(4, true);
        Assert.Equal(1, _notified);
        _pic.SetLine(3, true); // it was pending
        Assert.Equal(1, _notified);
        _pic.Acknowledge(); // 3
        _pic.SetLine(4, false);
        _pic.SetLine(4, true); // below 3
        Assert.Equal(1, _notified);
        Out(0x20, NonSpecificEoi);
        Assert.Equal(2, _notified);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(2)]
    [InlineData(16)]
    public void There_is_no_such_device_line(int irq)
        => Assert.Throws<ArgumentOutOfRangeException>(() => _pic.SetLine(irq, true));

    [Fact]
    public void Nothing_is_allocated()
    {
        Initialise();
        Assert.Equal(0, Allocations.Of(() =>
        {
            _pic.SetLine(10, true);
            _pic.Acknowledge();
            _pic.SetLine(10, false);
            Out(0xA0, NonSpecificEoi);
            Out(0x20, NonSpecificEoi);
            ReadRequests(0x20);
        }));
    }

    private void Initialise(byte icw4 = 0x01)
    {
        Out(0x20, 0x11);
        Out(0x21, 0x30);
        Out(0x21, 0x04);
        Out(0x21, icw4);
        Out(0xA0, 0x11);
        Out(0xA1, 0x38);
        Out(0xA1, 0x02);
        Out(0xA1, (byte)(icw4 & 0x03));
    }

    private void Rise(int irq)
    {
        _pic.SetLine(irq, false);
        _pic.SetLine(irq, true);
    }

    private void Out(ushort port, byte value) => _pic.Write(port, 1, value);

    private uint ReadRequests(ushort port)
    {
        Out(port, 0x0A);
        return _pic.Read(port, 1);
    }

    private uint ReadInService(ushort port)
    {
        Out(port, 0x0B);
        return _pic.Read(port, 1);
    }
}
