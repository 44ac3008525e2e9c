using MemVirt.Cpu.Machine;
using MemVirt.Cpu.Machine.Interrupts.Apic;

namespace MemVirt.Cpu.Tests.Machine;

/// <summary>The devices wired together.</summary>
public class PcDevicesTests
{
    private readonly MachineClock _clock = new();
    private readonly List<byte> _sent = [];

    [Fact]
    public void The_timer_is_vector_0_of_the_master()
    {
        PcDevices pc = Initialised(new PcOptions());
        int pending = 0;
        pc.InterruptPending = () => pending++;
        pc.Ports.Write(0x43, 1, 0x34);
        pc.Ports.Write(0x40, 1, 0xE8);
        pc.Ports.Write(0x40, 1, 0x03);
        pc.Interrupts.Acknowledge(); // OUT went high with the mode
        pc.Ports.Write(0x20, 1, 0x20);
        _clock.AdvanceTo(1_000_000);
        Assert.Equal(2, pending);
        Assert.Equal(0x30, pc.Interrupts.Acknowledge());
    }

    [Fact]
    public void Each_device_has_its_line()
    {
        PcDevices pc = Initialised(new PcOptions { Com1Output = _sent.Add, Com2Output = _sent.Add });
        pc.Keyboard.Press([0x1E]);
        Assert.Equal(0x31, Serve(pc));
        pc.Ports.Write(0x3FC, 1, 0x08);
        pc.Ports.Write(0x3F9, 1, 0x02);
        Assert.Equal(0x34, Serve(pc));
        pc.Ports.Write(0x2FC, 1, 0x08);
        pc.Ports.Write(0x2F9, 1, 0x02);
        Assert.Equal(0x33, Serve(pc));
        pc.Ports.Write(0x70, 2, 0x120B);
        _clock.AdvanceTo(1_000_000_000);
        Assert.Equal(0x38, Serve(pc));
    }

    [Fact]
    public void The_default_start_is_the_first_of_January_2020()
    {
        var pc = new PcDevices(_clock, new PcOptions());
        uint Register(uint index)
        {
            pc.Ports.Write(0x70, 1, index);
            return pc.Ports.Read(0x71, 1);
        }

        Assert.Equal([0x20u, 0x01u, 0x01u, 0x00u, 0x00u, 0x00u], [Register(9), Register(8), Register(7), Register(4), Register(2), Register(0)]);
    }

    [Fact]
    public void There_is_no_PCI_no_second_serial_port_and_no_POST_display()
    {
        var pc = new PcDevices(_clock, new PcOptions());
        pc.Ports.Write(0xCF8, 4, 0x8000_0000);
        Assert.Equal(0xFFFF_FFFFu, pc.Ports.Read(0xCF8, 4));
        Assert.Equal(0xFFu, pc.Ports.Read(0x2FD, 1));
        pc.Ports.Write(0x80, 1, 0);
        Assert.Equal(0xFFu, pc.Ports.Read(0x80, 1));
    }

    [Fact]
    public void Reset_A20_and_exit_are_heard()
    {
        var pc = new PcDevices(_clock, new PcOptions());
        int resets = 0;
        pc.SystemControl.ResetRequested = () => resets++;
        pc.Ports.Write(0x64, 1, 0xFE);
        pc.Ports.Write(0x92, 1, 0x01);
        Assert.Equal(2, resets);
        Assert.False(pc.SystemControl.IsA20Enabled);
        pc.Ports.Write(0xF4, 4, 0x10);
        Assert.Equal(0x21, pc.DebugExit.ExitCode);
    }

    [Fact]
    public void With_a_local_APIC_the_processor_asks_it_and_the_8259A_passes_through()
    {
        PcDevices pc = Initialised(new PcOptions { HasLocalApic = true });
        int pending = 0;
        pc.InterruptPending = () => pending++;
        Assert.Same(pc.LocalApic, pc.Interrupts);
        pc.Keyboard.Press([0x1E]);
        Assert.Equal(1, pending);
        Assert.Equal(0x31, Serve(pc));
        Assert.Null(new PcDevices(_clock, new PcOptions()).LocalApic);
    }

    [Fact]
    public void The_time_stamp_counter_and_the_APIC_timer_have_their_frequencies()
    {
        var options = new PcOptions { HasLocalApic = true, TimeStampHertz = 3_000_000_000, ApicTimerHertz = 25_000_000 };
        PcDevices pc = Initialised(options);
        pc.LocalApic!.Write(0xF0, 4, 0x1FF);
        pc.LocalApic.Write(0x3E0, 4, 0x0B);
        pc.LocalApic.Write(0x380, 4, 1_000_000);
        _clock.AdvanceTo(1_000_000);
        Assert.Equal(3_000_000UL, pc.TimeStamps.Value);
        Assert.Equal(975_000UL, pc.LocalApic.Read(0x390, 4));
    }

    [Fact]
    public void Nothing_is_allocated_by_ports_ticks_and_interrupts()
    {
        int sent = 0;
        PcDevices pc = Initialised(new PcOptions { HasLocalApic = true, Com1Output = _ => sent++ });
        int pending = 0;
        pc.InterruptPending = () => pending++;
        pc.Ports.Write(0x43, 1, 0x34);
        pc.Ports.Write(0x40, 1, 0x00);
        pc.Ports.Write(0x40, 1, 0x10);
        Assert.Equal(0, Allocations.Of(() =>
        {
            for (int tick = 0; tick < 100; tick++)
            {
                _clock.AdvanceTo(_clock.NextDeadline);
                pc.Ports.Write(0x3F8, 1, 'x');
                pc.Ports.Read(0xCF8, 4);
                pc.Ports.Read(0x70, 4);
                if (pc.Interrupts.IsPending)
                {
                    pc.Interrupts.Acknowledge();
                    pc.Ports.Write(0x20, 1, 0x20);
                }
            }
        }));
        Assert.True(sent >= 100 && pending > 0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Two_runs_of_the_same_guest_are_the_same(int seed)
    {
        List<ulong> first = Run(seed);
        Assert.Equal(first, Run(seed));
        Assert.NotEqual(first, Run(seed + 100));
    }

    private static List<ulong> Run(int seed)
    {
        List<ulong> trace = [];
        var clock = new MachineClock();
        var pc = new PcDevices(clock, new PcOptions { HasLocalApic = true, Com1Output = value => trace.Add(0x1_0000UL | value) });
        pc.InterruptPending = () => trace.Add(0x2_0000_0000UL | clock.Now);
        Initialise(pc);
        LocalApic apic = pc.LocalApic!;
        apic.Write(0xF0, 4, 0x1FF);
        apic.Write(0x350, 4, 0x700);
        apic.Write(0x320, 4, 0x2_0060);
        apic.Write(0x380, 4, 100_000);
        ushort[] ports = [0x20, 0x21, 0xA0, 0xA1, 0x40, 0x42, 0x43, 0x61, 0x70, 0x71, 0x60, 0x64, 0x3F8, 0x3F9, 0x3FA, 0x3FC, 0x3FD];
        var random = new Random(seed);
        for (int step = 0; step < 20_000; step++)
        {
            ushort port = ports[random.Next(ports.Length)];
            if (random.Next(2) == 0)
            {
                trace.Add(pc.Ports.Read(port, 1));
            }
            else
            {
                pc.Ports.Write(port, 1, (uint)random.Next(256));
            }

            clock.AdvanceTo(clock.Now + (ulong)random.Next(10_000));
            trace.Add(apic.Read(0x390, 4));
            if (random.Next(4) == 0 && pc.Interrupts.IsPending)
            {
                trace.Add(0x3_0000UL | pc.Interrupts.Acknowledge());
                apic.Write(0xB0, 4, 0);
            }
        }

        return trace;
    }

    private static byte Serve(PcDevices pc)
    {
        Assert.True(pc.Interrupts.IsPending);
        byte vector = pc.Interrupts.Acknowledge();
        pc.Ports.Write(0xA0, 1, 0x20);
        pc.Ports.Write(0x20, 1, 0x20);
        Assert.False(pc.Interrupts.IsPending);
        return vector;
    }

    private PcDevices Initialised(PcOptions options)
    {
        var pc = new PcDevices(_clock, options);
        Initialise(pc);
        return pc;
    }

    private static void Initialise(PcDevices pc)
    {
        foreach ((ushort port, byte value) in (ReadOnlySpan<(ushort, byte)>)
            [(0x20, 0x11), (0x21, 0x30), (0x21, 0x04), (0x21, 0x01), (0xA0, 0x11), (0xA1, 0x38), (0xA1, 0x02), (0xA1, 0x01)])
        {
            pc.Ports.Write(port, 1, value);
        }
    }
}
