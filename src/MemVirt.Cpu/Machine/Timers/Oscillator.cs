namespace MemVirt.Cpu.Machine.Timers;

/// <summary>A fixed frequency on the <see cref="MachineClock"/>: its ticks since reset, exact however long the run.</summary>
public readonly record struct Oscillator
{
    private const ulong NanosecondsPerSecond = 1_000_000_000;

    // What keeps a second's nanoseconds times the frequency, and the reverse, within 64 bits.
    private const ulong MaxHertz = ulong.MaxValue / NanosecondsPerSecond;

    /// <summary>An oscillator whose tick 0 is at reset.</summary>
    /// <param name="hertz">1 to 18 GHz.</param>
    public Oscillator(ulong hertz)
    {
        ArgumentOutOfRangeException.ThrowIfZero(hertz);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(hertz, MaxHertz);
        Hertz = hertz;
    }

    /// <summary>Ticks in a second.</summary>
    public ulong Hertz { get; }

    /// <summary>The ticks that a time has seen, rounded down; 64 bits, wrapping.</summary>
    /// <param name="nanoseconds">From reset.</param>
    public ulong TicksAt(ulong nanoseconds)
    {
        (ulong seconds, ulong rest) = Math.DivRem(nanoseconds, NanosecondsPerSecond);
        return (seconds * Hertz) + (rest * Hertz / NanosecondsPerSecond);
    }

    /// <summary>The first nanosecond that has seen a tick; <see cref="MachineClock.Never"/> where it is beyond 64 bits.</summary>
    public ulong TimeOf(ulong tick)
    {
        (ulong seconds, ulong rest) = Math.DivRem(tick, Hertz);
        return seconds < MaxHertz
            ? (seconds * NanosecondsPerSecond) + (((rest * NanosecondsPerSecond) + Hertz - 1) / Hertz)
            : MachineClock.Never;
    }
}
