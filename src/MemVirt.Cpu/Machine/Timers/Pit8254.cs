using MemVirt.Cpu.Machine.Interrupts;

namespace MemVirt.Cpu.Machine.Timers;

/// <summary>
/// The PC's 8254 interval timer at ports 0x40 to 0x43, byte-wide: counter 0 drives an interrupt line, counter 2's gate is port 0x61's.
/// The counters follow from the clock when they are asked; a timer is set only for counter 0's edges. The first CLK pulse after a
/// write is what loads a count, as on the chip. After reset no counter runs. Allocates nothing after construction.
/// </summary>
public sealed class Pit8254 : IPortDevice, ITimedDevice
{
    /// <summary>The frequency of CLK.</summary>
    public const ulong Hertz = 1_193_182;

    private const int ControlPort = 3;
    private const int ReadBack = 3;

    private readonly MachineClock _clock;
    private readonly InterruptLine _line;
    private readonly MachineClock.Timer _timer;
    private readonly PitRegister[] _counters = [new(gate: true), new(gate: true), new(gate: false)];

    /// <summary>The timer of a clock, its counter 0 on a line, IRQ 0 in a PC.</summary>
    public Pit8254(MachineClock clock, InterruptLine line)
    {
        ArgumentNullException.ThrowIfNull(clock);
        _clock = clock;
        _line = line;
        _timer = clock.Add(this);
    }

    /// <summary>CLK pulses since reset.</summary>
    internal ulong Pulses => Clk.TicksAt(_clock.Now);

    private static Oscillator Clk { get; } = new(Hertz);

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes)
    {
        int index = port & 3;
        if (index == ControlPort)
        {
            return 0xFF;
        }

        Advance(index);
        return _counters[index].Read();
    }

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        int index = port & 3;
        if (index == ControlPort)
        {
            WriteControl((byte)value);
        }
        else
        {
            Advance(index);
            _counters[index].Write((byte)value);
            Drive(index);
        }
    }

    /// <inheritdoc/>
    public void Elapsed()
    {
        Advance(0);
        Drive(0);
    }

    /// <summary>Counter 2's gate.</summary>
    internal void SetSpeakerGate(bool level)
    {
        Advance(2);
        _counters[2].Channel.SetGate(level);
    }

    /// <summary>Counter 2's output.</summary>
    internal bool ReadSpeakerOut()
    {
        Advance(2);
        return _counters[2].Channel.Out;
    }

    private void WriteControl(byte value)
    {
        int index = value >> 6;
        if (index == ReadBack)
        {
            LatchAll(value);
            return;
        }

        Advance(index);
        if ((value & 0x30) == 0)
        {
            _counters[index].LatchCount();
        }
        else
        {
            _counters[index].Configure(value);
            Drive(index);
        }
    }

    private void LatchAll(byte command)
    {
        for (int index = 0; index < _counters.Length; index++)
        {
            if ((command & (2 << index)) == 0)
            {
                continue;
            }

            Advance(index);
            if ((command & 0x20) == 0)
            {
                _counters[index].LatchCount();
            }

            if ((command & 0x10) == 0)
            {
                _counters[index].LatchStatus();
            }
        }
    }

    private void Advance(int index) => _counters[index].Channel.AdvanceTo(Pulses);

    // The clock calls for each change of counter 0, so that the line sees them all.
    private void Drive(int index)
    {
        if (index == 0)
        {
            PitChannel channel = _counters[0].Channel;
            _line.Set(channel.Out);
            _timer.Set(channel.NextChange == PitChannel.Never ? MachineClock.Never : Clk.TimeOf(channel.NextChange));
        }
    }
}
