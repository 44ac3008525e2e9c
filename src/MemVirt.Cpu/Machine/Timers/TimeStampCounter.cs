namespace MemVirt.Cpu.Machine.Timers;

/// <summary>
/// The time-stamp counter, invariant and 0 at reset (Intel SDM Vol. 3B, "Time-Stamp Counter"). It is virtual time, so that RDTSC, IA32_TSC
/// and the local APIC's deadline agree. Allocates nothing after construction.
/// </summary>
public sealed class TimeStampCounter
{
    private readonly MachineClock _clock;
    private readonly Oscillator _oscillator;
    private ulong _adjust;

    /// <summary>A counter on a clock.</summary>
    /// <param name="clock">The virtual time.</param>
    /// <param name="hertz">Counts in a second, 1 to 18 GHz.</param>
    public TimeStampCounter(MachineClock clock, ulong hertz)
    {
        ArgumentNullException.ThrowIfNull(clock);
        _clock = clock;
        _oscillator = new Oscillator(hertz);
    }

    /// <summary>Counts in a second.</summary>
    public ulong Hertz => _oscillator.Hertz;

    /// <summary>RDTSC, and IA32_TIME_STAMP_COUNTER (MSR 0x10); a write changes <see cref="Adjust"/> by as much.</summary>
    public ulong Value
    {
        get => _oscillator.TicksAt(_clock.Now) + _adjust;
        set => Adjust += value - Value;
    }

    /// <summary>IA32_TSC_ADJUST (MSR 0x3B): what writes have added to the counter; a write moves the counter by the difference.</summary>
    public ulong Adjust
    {
        get => _adjust;
        set
        {
            _adjust = value;
            Stepped?.Invoke();
        }
    }

    /// <summary>Called where a write moved the counter.</summary>
    internal Action? Stepped { get; set; }

    /// <summary>When the counter reaches a value: now where it has, <see cref="MachineClock.Never"/> where that is beyond 64 bits.</summary>
    internal ulong TimeOf(ulong value)
    {
        ulong current = Value;
        if (current >= value)
        {
            return _clock.Now;
        }

        ulong ticks = _oscillator.TicksAt(_clock.Now);
        ulong ahead = value - current;
        return ahead > ulong.MaxValue - ticks ? MachineClock.Never : _oscillator.TimeOf(ticks + ahead);
    }
}
