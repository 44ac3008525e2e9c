namespace MemVirt.Cpu.Machine;

/// <summary>
/// The 8254 interval timer of a PC, ports 0x40 to 0x43, and the system control port 0x61 (Intel 8254 data sheet). Counters are computed
/// from the clock when they are read; the clock calls only for edges of counter 0, which are interrupt line 0.
/// </summary>
public sealed class Pit8254 : IPortDevice, ITimedDevice
{
    /// <summary>Input clock, Hz.</summary>
    public const ulong Frequency = 1_193_182;

    private const ulong NanosecondsPerSecond = 1_000_000_000;
    private readonly MachineClock _clock;
    private readonly Action<bool> _line;
    private readonly MachineClock.Timer _timer;
    private readonly Counter[] _counters = [new(), new(), new()];
    private bool _speaker;

    /// <summary>A timer.</summary>
    /// <param name="clock">Virtual time.</param>
    /// <param name="line">Sets interrupt line 0.</param>
    public Pit8254(MachineClock clock, Action<bool> line)
    {
        ArgumentNullException.ThrowIfNull(clock);
        _clock = clock;
        _line = line;
        _timer = clock.Add(this);
        _counters[2].SetGate(false, 0);
    }

    private ulong Ticks => Convert(_clock.Now, Frequency, NanosecondsPerSecond);

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes)
    {
        ulong now = Ticks;
        if (port == 0x61)
        {
            // Bit 4 toggles with each refresh request, every 15 microseconds or so.
            bool refresh = (_clock.Now / 15_085 & 1) != 0;
            return (_counters[2].Gate ? 1u : 0) | (_speaker ? 2u : 0) | (refresh ? 0x10u : 0) | (_counters[2].Output(now) ? 0x20u : 0);
        }

        return port is >= 0x40 and <= 0x42 ? _counters[port - 0x40].Read(now) : 0xFF;
    }

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        ulong now = Ticks;
        switch (port)
        {
            case 0x61:
                _counters[2].SetGate((value & 1) != 0, now);
                _speaker = (value & 2) != 0;
                break;
            case 0x43:
                Command((byte)value, now);
                break;
            case >= 0x40 and <= 0x42:
                _counters[port - 0x40].Write((byte)value, now);
                break;
        }

        Schedule(now);
    }

    /// <inheritdoc/>
    public void Elapsed() => Schedule(Ticks);

    private void Command(byte value, ulong now)
    {
        int number = value >> 6;
        if (number != 3)
        {
            _counters[number].Control(value, now);
            return;
        }

        for (int i = 0; i < _counters.Length; i++)
        {
            if ((value & (2 << i)) != 0)
            {
                _counters[i].ReadBack((value & 0x20) == 0, (value & 0x10) == 0, now);
            }
        }
    }

    private void Schedule(ulong now)
    {
        _line(_counters[0].Output(now));
        ulong edge = _counters[0].NextEdge(now);
        _timer.Set(edge == MachineClock.Never ? MachineClock.Never : ToNanoseconds(edge));
    }

    /// <summary>The first nanosecond at which so many ticks have passed.</summary>
    private static ulong ToNanoseconds(ulong ticks)
        => (ulong)((((UInt128)ticks * NanosecondsPerSecond) + (Frequency - 1)) / Frequency);

    private static ulong Convert(ulong value, ulong multiplier, ulong divisor) => (ulong)((UInt128)value * multiplier / divisor);

    /// <summary>One counter.</summary>
    private sealed class Counter
    {
        private int _mode = 3;
        private int _access = 3;
        private bool _isDecimal;
        private uint _reload = 0x10000;
        private ulong _start;
        private bool _isCounting;
        private bool _waitsForHigh;
        private byte _low;
        private bool _readsHigh;
        private uint _latched;
        private bool _isLatched;
        private byte _status;
        private bool _hasStatus;
        private uint _stopped;

        public bool Gate { get; private set; } = true;

        public void Control(byte value, ulong now)
        {
            int access = value >> 4 & 3;
            if (access == 0)
            {
                Latch(now);
                return;
            }

            int mode = value >> 1 & 7;
            _mode = mode > 5 ? mode & 3 : mode;
            _access = access;
            _isDecimal = (value & 1) != 0;
            _isCounting = _waitsForHigh = _readsHigh = _isLatched = _hasStatus = false;
            _stopped = 0;
        }

        public void ReadBack(bool latchesCount, bool latchesStatus, ulong now)
        {
            if (latchesCount)
            {
                Latch(now);
            }

            if (latchesStatus && !_hasStatus)
            {
                _status = (byte)((Output(now) ? 0x80 : 0) | (_isCounting ? 0 : 0x40) | (_access << 4) | (_mode << 1) | (_isDecimal ? 1 : 0));
                _hasStatus = true;
            }
        }

        public uint Read(ulong now)
        {
            if (_hasStatus)
            {
                _hasStatus = false;
                return _status;
            }

            uint count = _isLatched ? _latched : Encode(Value(now));
            switch (_access)
            {
                case 1:
                    _isLatched = false;
                    return (byte)count;
                case 2:
                    _isLatched = false;
                    return (byte)(count >> 8);
                default:
                    bool isHigh = _readsHigh;
                    _readsHigh = !isHigh;
                    _isLatched &= !isHigh;
                    return (byte)(isHigh ? count >> 8 : count);
            }
        }

        public void Write(byte value, ulong now)
        {
            switch (_access)
            {
                case 1:
                    Load(value, now);
                    break;
                case 2:
                    Load((uint)value << 8, now);
                    break;
                default:
                    if (_waitsForHigh)
                    {
                        _waitsForHigh = false;
                        Load(_low | ((uint)value << 8), now);
                    }
                    else
                    {
                        _low = value;
                        _waitsForHigh = true;
                    }

                    break;
            }
        }

        public void SetGate(bool isHigh, ulong now)
        {
            if (isHigh == Gate)
            {
                return;
            }

            if (!isHigh && _mode is 0 or 4)
            {
                _stopped = Value(now);
            }

            Gate = isHigh;
            if (!isHigh)
            {
                return;
            }

            switch (_mode)
            {
                case 0 or 4 when _isCounting:
                    _start = now - (_reload - _stopped);
                    break;
                case 1 or 2 or 3 or 5:
                    _start = now;
                    _isCounting |= _mode is 1 or 5;
                    break;
            }
        }

        public bool Output(ulong now)
        {
            if (!_isCounting)
            {
                return _mode != 0;
            }

            ulong passed = Passed(now);
            return _mode switch
            {
                0 or 1 => passed >= _reload,
                2 => !Gate || passed % _reload != _reload - 1,
                3 => !Gate || passed % _reload < (_reload + 1) / 2,
                _ => passed != _reload,
            };
        }

        /// <summary>The tick at which the output changes next; <see cref="MachineClock.Never"/> where it does not.</summary>
        public ulong NextEdge(ulong now)
        {
            if (!_isCounting || (!Gate && _mode is not (1 or 5)))
            {
                return MachineClock.Never;
            }

            ulong passed = now - _start;
            ulong period = passed / _reload * _reload;
            ulong within = passed - period;
            switch (_mode)
            {
                case 0 or 1:
                    return passed < _reload ? _start + _reload : MachineClock.Never;
                case 2:
                    return _start + period + (within < _reload - 1 ? _reload - 1 : _reload);
                case 3:
                    ulong half = (_reload + 1) / 2;
                    return _start + period + (within < half ? half : _reload);
                default:
                    return passed < _reload ? _start + _reload : passed == _reload ? _start + _reload + 1 : MachineClock.Never;
            }
        }

        private void Load(uint value, ulong now)
        {
            uint count = _isDecimal ? Decode(value) : value;
            _reload = count != 0 ? count : _isDecimal ? 10_000u : 0x10000u;
            if (_mode is 2 or 3 && _reload == 1)
            {
                _reload = 2;
            }

            _stopped = _reload;
            if (_mode is not (1 or 5))
            {
                _start = now;
                _isCounting = true;
            }
        }

        private void Latch(ulong now)
        {
            if (_isLatched)
            {
                return;
            }

            _latched = Encode(Value(now));
            _isLatched = true;
        }

        private ulong Passed(ulong now) => !Gate && _mode is 0 or 4 ? _reload - _stopped : now - _start;

        private uint Value(ulong now)
        {
            if (!_isCounting)
            {
                return _reload & 0xFFFF;
            }

            if (!Gate && _mode is 0 or 4)
            {
                return _stopped;
            }

            ulong passed = now - _start;
            ulong wrap = _isDecimal ? 10_000UL : 0x10000;
            return _mode switch
            {
                2 => (uint)(_reload - (passed % _reload)),
                3 => (uint)((_reload & ~1UL) - (passed * 2 % (_reload & ~1UL))),
                _ => (uint)((_reload + wrap - (passed % wrap)) % wrap),
            };
        }

        private uint Encode(uint value)
            => !_isDecimal ? value & 0xFFFF : value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 | value / 1000 % 10 << 12;

        private static uint Decode(uint value)
            => (value & 15) + ((value >> 4 & 15) * 10) + ((value >> 8 & 15) * 100) + ((value >> 12 & 15) * 1000);
    }
}
