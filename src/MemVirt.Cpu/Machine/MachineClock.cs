namespace MemVirt.Cpu.Machine;

/// <summary>
/// The machine's virtual time, in nanoseconds from reset, and who waits for when. Time is the number of instructions retired plus
/// what was slept through in HLT, so that a run repeats bit for bit. Serves one thread; after <see cref="Add"/> nothing allocates.
/// </summary>
public sealed class MachineClock
{
    /// <summary>No deadline.</summary>
    public const ulong Never = ulong.MaxValue;

    private readonly List<Timer> _timers = [];

    /// <summary>Nanoseconds from reset.</summary>
    public ulong Now { get; private set; }

    /// <summary>When the first of the timers elapses; <see cref="Never"/> where none is set.</summary>
    public ulong NextDeadline { get; private set; } = Never;

    /// <summary>Called when <see cref="NextDeadline"/> came nearer, so that a running processor stops in time; null for nobody.</summary>
    public Action? DeadlineMoved { get; set; }

    /// <summary>A timer for a device, not set.</summary>
    public Timer Add(ITimedDevice device)
    {
        var timer = new Timer(this, device);
        _timers.Add(timer);
        return timer;
    }

    /// <summary>Moves time on and calls the devices whose time has come, the earliest first; each sees its own deadline as now, or later.</summary>
    /// <param name="now">Nanoseconds from reset, not before <see cref="Now"/>.</param>
    public void AdvanceTo(ulong now)
    {
        while (NextDeadline <= now)
        {
            Timer first = First();
            Now = Math.Max(Now, first.Deadline);
            first.Deadline = Never;
            Refresh();
            first.Device.Elapsed();
        }

        Now = Math.Max(Now, now);
    }

    private Timer First()
    {
        Timer first = _timers[0];
        foreach (Timer timer in _timers)
        {
            if (timer.Deadline < first.Deadline)
            {
                first = timer;
            }
        }

        return first;
    }

    private void Refresh()
    {
        ulong next = Never;
        foreach (Timer timer in _timers)
        {
            next = Math.Min(next, timer.Deadline);
        }

        bool isNearer = next < NextDeadline;
        NextDeadline = next;
        if (isNearer)
        {
            DeadlineMoved?.Invoke();
        }
    }

    /// <summary>One deadline of one device.</summary>
    public sealed class Timer
    {
        private readonly MachineClock _clock;

        internal Timer(MachineClock clock, ITimedDevice device)
        {
            _clock = clock;
            Device = device;
        }

        /// <summary>When it elapses, in nanoseconds from reset; <see cref="Never"/> where it is not set.</summary>
        public ulong Deadline { get; internal set; } = Never;

        internal ITimedDevice Device { get; }

        /// <summary>Sets the timer, or moves it.</summary>
        /// <param name="when">Nanoseconds from reset; <see cref="Never"/> to stop it. A time that is past elapses as soon as the clock is moved.</param>
        public void Set(ulong when)
        {
            Deadline = when;
            _clock.Refresh();
        }

        /// <summary>Stops the timer.</summary>
        public void Stop() => Set(Never);
    }
}
