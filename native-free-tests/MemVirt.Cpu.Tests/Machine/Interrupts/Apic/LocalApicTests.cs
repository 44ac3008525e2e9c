namespace MemVirt.Cpu.Tests.Machine.Interrupts.Apic;

/// <summary>Registers, priorities, commands and errors of the local APIC (Intel SDM Vol. 3A ch. 11).</summary>
public class LocalApicTests
{
    private readonly ApicBed _bed = new();

    [Fact]
    public void After_reset_the_registers_are_as_the_manual_lists_them()
    {
        (uint, uint)[] expected =
        [
            (0x20, 0), (0x30, 0x5_0014), (0x80, 0), (0xA0, 0), (0xD0, 0), (0xE0, uint.MaxValue), (0xF0, 0xFF), (0x100, 0), (0x180, 0),
            (0x200, 0), (0x280, 0), (0x300, 0), (0x310, 0), (0x320, 0x1_0000), (0x330, 0x1_0000), (0x340, 0x1_0000), (0x350, 0x1_0000),
            (0x360, 0x1_0000), (0x370, 0x1_0000), (0x380, 0), (0x390, 0), (0x3E0, 0),
        ];
        foreach ((uint offset, uint value) in expected)
        {
            Assert.Equal((offset, value), (offset, _bed[offset]));
        }
    }

    [Fact]
    public void Writable_bits_stay_and_others_do_not()
    {
        _bed.Enabled();
        (uint, uint)[] expected =
        [
            (0x20, 0), (0x30, 0x5_0014), (0x80, 0xFF), (0xA0, 0xFF), (0xD0, 0xFF00_0000), (0xE0, uint.MaxValue), (0x310, 0xFF00_0000),
            (0x320, 0x7_00FF), (0x330, 0x1_07FF), (0x340, 0x1_07FF), (0x350, 0x1_A7FF), (0x360, 0x1_A7FF), (0x370, 0x1_00FF), (0x3E0, 0x0B),
        ];
        foreach ((uint offset, uint value) in expected)
        {
            _bed[offset] = uint.MaxValue;
            Assert.Equal((offset, value), (offset, _bed[offset]));
        }

        _bed[0xF0] = uint.MaxValue;
        Assert.Equal(0x3FFu, _bed[0xF0]);
        _bed[0xE0] = 0;
        Assert.Equal(0x0FFF_FFFFu, _bed[0xE0]);
    }

    [Fact]
    public void An_interrupt_to_itself_is_requested_then_in_service_until_EOI()
    {
        _bed.Enabled().SendToSelf(0x61);
        Assert.True(_bed.Apic.IsPending);
        Assert.Equal(1, _bed.Notified);
        Assert.Equal(2u, _bed[0x230]);
        Assert.Equal(0x61, _bed.Apic.Acknowledge());
        Assert.False(_bed.Apic.IsPending);
        Assert.Equal(0u, _bed[0x230]);
        Assert.Equal(2u, _bed[0x130]);
        Assert.Equal(0x60u, _bed[0xA0]);
        _bed[0xB0] = 0;
        Assert.Equal(0u, _bed[0x130]);
        Assert.Equal(0u, _bed[0xA0]);
    }

    [Fact]
    public void Of_several_the_highest_goes_first_and_one_of_the_same_class_waits()
    {
        _bed.Enabled();
        _bed.SendToSelf(0x41);
        _bed.SendToSelf(0x7F);
        _bed.SendToSelf(0x72);
        Assert.Equal(1, _bed.Notified);
        Assert.Equal(0x7F, _bed.Apic.Acknowledge());
        Assert.False(_bed.Apic.IsPending);
        _bed.SendToSelf(0x80);
        Assert.Equal(2, _bed.Notified);
        Assert.Equal(0x80, _bed.Apic.Acknowledge());
        _bed[0xB0] = 0;
        Assert.False(_bed.Apic.IsPending);
        _bed[0xB0] = 0;
        Assert.Equal(0x72, _bed.Apic.Acknowledge());
        _bed[0xB0] = 0;
        Assert.Equal(0x41, _bed.Apic.Acknowledge());
    }

    [Fact]
    public void Task_priority_holds_back_its_class_and_below()
    {
        _bed.Enabled();
        _bed[0x80] = 0x65;
        Assert.Equal(0x65u, _bed[0xA0]);
        Assert.Equal(6, _bed.Apic.TaskPriorityClass);
        _bed.SendToSelf(0x6F);
        Assert.False(_bed.Apic.IsPending);
        _bed.SendToSelf(0x70);
        Assert.Equal(0x70, _bed.Apic.Acknowledge());
        Assert.Equal(0x70u, _bed[0xA0]);
        _bed[0xB0] = 0;
        Assert.Equal(0, _bed.Notified - 1);
        _bed.Apic.TaskPriorityClass = 5;
        Assert.Equal(2, _bed.Notified);
        Assert.Equal(0x50u, _bed[0x80]);
        Assert.Equal(0x6F, _bed.Apic.Acknowledge());
    }

    [Fact]
    public void Who_comes_too_late_gets_the_spurious_vector_and_nothing_is_in_service()
    {
        _bed[0xF0] = 0x1EF;
        _bed.SendToSelf(0x41);
        _bed[0x80] = 0x50;
        Assert.Equal(0xEF, _bed.Apic.Acknowledge());
        Assert.Equal(0u, _bed[0x120]);
        Assert.Equal(2u, _bed[0x220]);
    }

    [Theory]
    [InlineData(0x00, 0x0_0041u, true)] // physical, own ID
    [InlineData(0x01, 0x0_0041u, false)]
    [InlineData(0xFF, 0x0_0041u, true)] // physical broadcast
    [InlineData(0x04, 0x0_0841u, true)] // logical, flat, LDR 0x06
    [InlineData(0x01, 0x0_0841u, false)]
    [InlineData(0x02, 0x0_0941u, true)] // lowest priority
    [InlineData(0x01, 0x4_0041u, true)] // self
    [InlineData(0x01, 0x4_0141u, false)] // self cannot be of the lowest priority
    [InlineData(0x01, 0x8_0041u, true)] // all
    [InlineData(0x01, 0xC_0041u, false)] // all but self
    public void A_command_reaches_itself_where_it_is_meant(byte destination, uint low, bool reaches)
    {
        _bed.Enabled();
        _bed[0xD0] = 0x0600_0000;
        _bed[0x310] = (uint)destination << 24;
        _bed[0x300] = low;
        Assert.Equal(reaches, _bed.Apic.IsPending);
        Assert.Equal(low, _bed[0x300]);
        if (reaches)
        {
            Assert.Equal(0x41, _bed.Apic.Acknowledge());
        }
    }

    [Theory]
    [InlineData(0x21, true)]
    [InlineData(0xF2, true)] // every cluster
    [InlineData(0x11, false)]
    [InlineData(0x24, false)]
    public void In_the_cluster_model_cluster_and_member_must_match(byte destination, bool reaches)
    {
        _bed.Enabled();
        _bed[0xE0] = 0;
        _bed[0xD0] = 0x2300_0000;
        _bed[0x310] = (uint)destination << 24;
        _bed[0x300] = 0x841;
        Assert.Equal(reaches, _bed.Apic.IsPending);
    }

    [Fact]
    public void NMI_and_INIT_go_to_the_processor_even_while_software_has_it_disabled()
    {
        int nmis = 0;
        int inits = 0;
        _bed.Apic.NmiRequested = () => nmis++;
        _bed.Apic.InitRequested = () => inits++;
        _bed[0x300] = 0x0400;
        _bed[0x300] = 0x4500; // INIT, asserted
        _bed[0x300] = 0x8500; // INIT level de-assert
        _bed[0x300] = 0xC_0400; // an NMI for all others
        Assert.Equal((1, 1), (nmis, inits));
        Assert.False(_bed.Apic.IsPending);
    }

    [Fact]
    public void Software_disabled_it_accepts_nothing_masks_its_vectors_and_keeps_what_it_has()
    {
        _bed.Enabled();
        _bed.SendToSelf(0x41);
        _bed[0x370] = 0x40;
        _bed[0xF0] = 0xFF;
        Assert.Equal(0x1_0040u, _bed[0x370]);
        _bed[0x370] = 0x40;
        Assert.Equal(0x1_0040u, _bed[0x370]);
        _bed.SendToSelf(0x51);
        Assert.Equal(0x41, _bed.Apic.Acknowledge());
        _bed[0xB0] = 0;
        Assert.False(_bed.Apic.IsPending);
    }

    [Fact]
    public void Errors_are_latched_by_a_write_of_ESR_and_interrupt()
    {
        _bed.Enabled();
        _bed[0x370] = 0x45;
        _bed.SendToSelf(0x0F);
        Assert.Equal(0x45, _bed.Apic.Acknowledge());
        _bed[0xB0] = 0;
        Assert.Equal(0u, _bed[0x280]);
        _bed[0x280] = 0;
        Assert.Equal(0x60u, _bed[0x280]); // illegal vector sent and received
        _bed[0x280] = 0;
        Assert.Equal(0u, _bed[0x280]);
        _ = _bed[0x040];
        Assert.True(_bed.Apic.IsPending);
        _bed[0x280] = 0;
        Assert.Equal(0x80u, _bed[0x280]); // illegal register
        _bed[0x2F0] = 0; // no CMCI
        _bed[0x280] = 0;
        Assert.Equal(0x80u, _bed[0x280]);
    }

    [Fact]
    public void A_masked_error_is_only_noted()
    {
        _bed.Enabled().SendToSelf(0x00);
        Assert.False(_bed.Apic.IsPending);
        _bed[0x280] = 0;
        Assert.Equal(0x60u, _bed[0x280]);
    }

    [Fact]
    public void A_register_is_four_bytes_at_a_multiple_of_sixteen()
    {
        Assert.Equal(0x05UL, _bed.Apic.Read(0x32, 1));
        Assert.Equal(0x0005UL, _bed.Apic.Read(0x32, 2));
        Assert.Equal(0UL, _bed.Apic.Read(0x34, 4));
        Assert.Equal(0x5_0014UL, _bed.Apic.Read(0x30, 8));
        _bed.Apic.Write(0x80, 1, 0x20);
        _bed.Apic.Write(0x84, 4, 0x20);
        Assert.Equal(0u, _bed[0x80]);
        _bed.Apic.Write(0x80, 8, 0x20);
        Assert.Equal(0x20u, _bed[0x80]);
    }

    [Fact]
    public void Nothing_is_allocated()
    {
        _bed.Enabled();
        _bed[0x320] = 0x2_0060;
        Assert.Equal(0, Allocations.Of(() =>
        {
            _bed.SendToSelf(0x41);
            _bed[0x380] = 1000;
            _bed.Clock.AdvanceTo(_bed.Clock.Now + 1_000_000);
            while (_bed.Apic.IsPending)
            {
                _bed.Apic.Acknowledge();
                _bed[0xB0] = 0;
            }

            _bed.Apic.TryWriteMsr(0x6E0, 5);
            _bed.Apic.TryReadMsr(0x1B, out _);
        }));
    }
}
