namespace MemVirt.Cpu.Machine;

/// <summary>The devices of the machine, wired: two 8259, an 8254, a 16550 at COM1, CMOS, an 8042, the exit port.</summary>
public sealed class PcDevices
{
    private const int KeyboardLine = 1;
    private const int SerialLine = 4;
    private const int ClockLine = 8;

    /// <summary>Devices on a clock.</summary>
    /// <param name="clock">Virtual time.</param>
    /// <param name="memoryBytes">RAM, for CMOS to tell.</param>
    /// <param name="output">Takes what the guest writes to its serial console.</param>
    /// <param name="stop">The guest ended the run, by the exit port or a reset.</param>
    /// <param name="start">The date and time at reset, UTC.</param>
    public PcDevices(MachineClock clock, ulong memoryBytes, Action<byte> output, Action stop, DateTime start)
    {
        Interrupts = new Pic8259();
        Pic8259 pic = Interrupts;
        Timer = new Pit8254(clock, level => pic.SetLine(0, level));
        Serial = new Uart16550(0x3F8, level => pic.SetLine(SerialLine, level), output);
        Clock = new CmosClock(clock, level => pic.SetLine(ClockLine, level), start, memoryBytes);
        Keyboard = new Keyboard8042(
            level => pic.SetLine(KeyboardLine, level),
            () =>
            {
                WasReset = true;
                stop();
            });
        Exit = new DebugExitPort(stop);
        Ports.Claim(0x20, 2, pic);
        Ports.Claim(0xA0, 2, pic);
        Ports.Claim(0x4D0, 2, pic);
        Ports.Claim(0x40, 4, Timer);
        Ports.Claim(0x61, 1, Timer);
        Ports.Claim(0x60, 1, Keyboard);
        Ports.Claim(0x64, 1, Keyboard);
        Ports.Claim(0x92, 1, Keyboard);
        Ports.Claim(0x70, 2, Clock);
        Ports.Claim(0x3F8, 8, Serial);
        Ports.Claim(0xF4, 4, Exit);
    }

    /// <summary>The ports.</summary>
    public PortBus Ports { get; } = new();

    /// <summary>The interrupt controllers.</summary>
    public Pic8259 Interrupts { get; }

    /// <summary>The interval timer.</summary>
    public Pit8254 Timer { get; }

    /// <summary>COM1.</summary>
    public Uart16550 Serial { get; }

    /// <summary>The real-time clock.</summary>
    public CmosClock Clock { get; }

    /// <summary>The keyboard controller.</summary>
    public Keyboard8042 Keyboard { get; }

    /// <summary>The exit port.</summary>
    public DebugExitPort Exit { get; }

    /// <summary>Whether the guest asked for a reset.</summary>
    public bool WasReset { get; private set; }
}
