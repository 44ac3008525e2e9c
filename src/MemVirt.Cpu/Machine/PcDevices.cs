using MemVirt.Cpu.Machine.Interrupts;
using MemVirt.Cpu.Machine.Interrupts.Apic;
using MemVirt.Cpu.Machine.Ports;
using MemVirt.Cpu.Machine.Timers;

namespace MemVirt.Cpu.Machine;

/// <summary>
/// The devices of a small PC, wired to their ports, lines and clock: interrupt controllers, interval timer, real-time clock, keyboard
/// controller, serial ports and an exit port. There is no PCI, ACPI, DMA or display. Allocates nothing after construction.
/// </summary>
public sealed class PcDevices
{
    private const int TimerIrq = 0;
    private const int KeyboardIrq = 1;
    private const int Com2Irq = 3;
    private const int Com1Irq = 4;
    private const int RtcIrq = 8;
    private const int AuxiliaryIrq = 12;

    /// <summary>A PC as its firmware leaves it, on a clock.</summary>
    public PcDevices(MachineClock clock, PcOptions options)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(options);
        Pit = new Pit8254(clock, Line(TimerIrq));
        Keyboard = new Keyboard8042(Line(KeyboardIrq), Line(AuxiliaryIrq), SystemControl);
        Cmos = new CmosRtc(clock, Line(RtcIrq), options.Start, options.BytesBelow4GiB, options.BytesAbove4GiB);
        Firmware = new FirmwareConfiguration(options.BytesBelow4GiB + options.BytesAbove4GiB);
        Com1 = new Uart16550(clock, Line(Com1Irq), options.Com1Output ?? (static _ => { }));
        Com2 = options.Com2Output is null ? null : new Uart16550(clock, Line(Com2Irq), options.Com2Output);
        TimeStamps = new TimeStampCounter(clock, options.TimeStampHertz);
        if (options.HasLocalApic)
        {
            LocalApic = new LocalApic(clock, Pic, TimeStamps, options.ApicTimerHertz, options.PhysicalAddressBits);
        }

        MapPorts();
    }

    /// <summary>The I/O ports; further devices may be put behind them.</summary>
    public PortBus Ports { get; } = new();

    /// <summary>What the processor asks for interrupts.</summary>
    public IInterruptController Interrupts => LocalApic is null ? Pic : LocalApic;

    /// <summary>Called where <see cref="Interrupts"/> becomes pending, and nowhere else; null for nobody.</summary>
    public Action? InterruptPending
    {
        get => LocalApic is null ? Pic.BecamePending : LocalApic.BecamePending;
        set
        {
            if (LocalApic is null)
            {
                Pic.BecamePending = value;
            }
            else
            {
                LocalApic.BecamePending = value;
            }
        }
    }

    /// <summary>The local APIC, whose registers in memory the processor's bus is to reach; null where there is none.</summary>
    public LocalApic? LocalApic { get; }

    /// <summary>The time-stamp counter.</summary>
    public TimeStampCounter TimeStamps { get; }

    /// <summary>The 8259A pair, with the lines of further devices.</summary>
    public Pic8259 Pic { get; } = new();

    /// <summary>The interval timer.</summary>
    public Pit8254 Pit { get; }

    /// <summary>The real-time clock and CMOS RAM.</summary>
    public CmosRtc Cmos { get; }

    /// <summary>The keyboard controller and its keyboard.</summary>
    public Keyboard8042 Keyboard { get; }

    /// <summary>The reset and A20 lines.</summary>
    public SystemControlPortA SystemControl { get; } = new();

    /// <summary>The first serial port.</summary>
    public Uart16550 Com1 { get; }

    /// <summary>The second serial port; null where there is none.</summary>
    public Uart16550? Com2 { get; }

    /// <summary>What a kernel that knows QEMU asks about the machine.</summary>
    public FirmwareConfiguration Firmware { get; }

    /// <summary>The port by which the guest ends the run.</summary>
    public DebugExitPort DebugExit { get; } = new();

    private InterruptLine Line(int irq) => new(Pic, irq);

    private void MapPorts()
    {
        Ports.Map(0x20, 2, Pic);
        Ports.Map(0xA0, 2, Pic);
        Ports.Map(0x4D0, 2, Pic);
        Ports.Map(0x40, 4, Pit);
        Ports.Map(SystemControlPortB.Port, 1, new SystemControlPortB(Pit));
        Ports.Map(Keyboard8042.DataPort, 1, Keyboard);
        Ports.Map(Keyboard8042.CommandPort, 1, Keyboard);
        Ports.Map(SystemControlPortA.Port, 1, SystemControl);
        Ports.Map(CmosRtc.Port, 2, Cmos);
        Ports.Map(DebugExitPort.Port, 4, DebugExit, widestBytes: 4);
        Ports.Map(FirmwareConfiguration.SelectorPort, 2, Firmware, widestBytes: 2);
        Ports.Map(Uart16550.Com1Port, Uart16550.PortCount, Com1);
        if (Com2 is not null)
        {
            Ports.Map(Uart16550.Com2Port, Uart16550.PortCount, Com2);
        }
    }
}
