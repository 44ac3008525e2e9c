using MemVirt.Cpu.Machine.Timers;

namespace MemVirt.Cpu.Machine.Interrupts.Apic;

/// <summary>
/// The local APIC's timer (Intel SDM Vol. 3A §11.5.4). Its count follows from the clock when it is asked; the clock is asked to call only
/// for an interrupt that is not masked. An interrupt of a masked timer is lost.
/// </summary>
internal sealed class ApicTimer : ITimedDevice
{
    private enum Mode
    {
        OneShot = 0,
        Periodic = 1,
        TscDeadline = 2,
    }

    private readonly MachineClock _clock;
    private readonly Oscillator _bus;
    private readonly TimeStampCounter _timeStamps;
    private readonly Action _expired;
    private readonly MachineClock.Timer _timer;
    private Mode _mode;
    private bool _isMasked = true;
    private uint _initial;
    private uint _divide;

    // The counter was at _count, 0 for stopped, at the bus tick _anchor.
    private uint _count;
    private ulong _anchor;
    private ulong _deadline;

    /// <summary>A stopped timer.</summary>
    /// <param name="clock">The virtual time.</param>
    /// <param name="hertz">The frequency that the divide configuration divides.</param>
    /// <param name="timeStamps">What deadlines are told in.</param>
    /// <param name="expired">Called when it runs out and is not masked.</param>
    internal ApicTimer(MachineClock clock, ulong hertz, TimeStampCounter timeStamps, Action expired)
    {
        _clock = clock;
        _bus = new Oscillator(hertz);
        _timeStamps = timeStamps;
        _expired = expired;
        _timer = clock.Add(this);
        timeStamps.Stepped = Elapsed;
    }

    /// <summary>The initial-count register; a write starts the count, 0 stops it, and in TSC-deadline mode it is ignored.</summary>
    internal uint InitialCount
    {
        get => _initial;
        set
        {
            if (_mode != Mode.TscDeadline)
            {
                _initial = value;
                Start(value);
            }
        }
    }

    /// <summary>The current-count register.</summary>
    internal uint CurrentCount
    {
        get
        {
            Settle();
            return _count == 0 ? 0 : _count - (uint)CountsSinceAnchor;
        }
    }

    /// <summary>The divide-configuration register; the count goes on at the new rate.</summary>
    internal uint DivideConfiguration
    {
        get => _divide;
        set
        {
            uint count = CurrentCount;
            _divide = value & 0x0B;
            Start(count);
        }
    }

    /// <summary>IA32_TSC_DEADLINE: 0 where no deadline is armed; outside TSC-deadline mode a write is ignored.</summary>
    internal ulong Deadline
    {
        get => _deadline;
        set
        {
            if (_mode == Mode.TscDeadline)
            {
                _deadline = value;
                Elapsed();
            }
        }
    }

    private ulong Ticks => _bus.TicksAt(_clock.Now);

    private int DivisorLog2 => ((int)((_divide & 3) | ((_divide >> 1) & 4)) + 1) & 7;

    private ulong CountsSinceAnchor => (Ticks - _anchor) >> DivisorLog2;

    /// <summary>The timer's LVT entry: mask and mode. To or from TSC-deadline mode the timer is disarmed.</summary>
    internal void Configure(uint entry)
    {
        Settle();
        var mode = (Mode)((entry >> 17) & 3);
        if ((mode == Mode.TscDeadline) != (_mode == Mode.TscDeadline))
        {
            _deadline = 0;
            _initial = 0;
            _count = 0;
        }

        _mode = mode;
        _isMasked = (entry & LocalVectorTable.Masked) != 0;
        Arm();
    }

    /// <summary>After reset.</summary>
    internal void Reset()
    {
        _mode = Mode.OneShot;
        _isMasked = true;
        _initial = 0;
        _divide = 0;
        _count = 0;
        _deadline = 0;
        Arm();
    }

    /// <inheritdoc/>
    public void Elapsed()
    {
        Settle();
        Arm();
    }

    private void Start(uint count)
    {
        _count = count;
        _anchor = Ticks;
        Arm();
    }

    private void Settle()
    {
        bool expires = _mode == Mode.TscDeadline ? SettleDeadline() : SettleCount();
        if (expires && !_isMasked)
        {
            _expired();
        }
    }

    private bool SettleDeadline()
    {
        bool expires = _deadline != 0 && _timeStamps.Value >= _deadline;
        _deadline = expires ? 0 : _deadline;
        return expires;
    }

    // Of periods that passed together, one interrupt is left.
    private bool SettleCount()
    {
        ulong counts = CountsSinceAnchor;
        if (_count == 0 || counts < _count)
        {
            return false;
        }

        if (_mode == Mode.Periodic)
        {
            ulong periods = (counts - _count) / _initial;
            _anchor += (_count + (periods * _initial)) << DivisorLog2;
            _count = _initial;
        }
        else
        {
            _count = 0;
        }

        return true;
    }

    private void Arm()
    {
        ulong when = MachineClock.Never;
        if (_deadline != 0)
        {
            when = _timeStamps.TimeOf(_deadline);
        }
        else if (_count != 0 && !_isMasked)
        {
            when = _bus.TimeOf(_anchor + ((ulong)_count << DivisorLog2));
        }

        _timer.Set(when);
    }
}
