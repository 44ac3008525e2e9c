namespace MemVirt.Cpu.Machine;

/// <summary>
/// The MC146818 real-time clock and the CMOS memory of a PC, ports 0x70 and 0x71. Time is a start plus virtual time; the periodic and the
/// update interrupt are line 8.
/// </summary>
public sealed class CmosClock : IPortDevice, ITimedDevice
{
    private const int StatusA = 0x0A;
    private const int StatusB = 0x0B;
    private const int StatusC = 0x0C;
    private const int StatusD = 0x0D;
    private const ulong Second = 1_000_000_000;
    private const ulong UpdateNanoseconds = 244_000;
    private readonly MachineClock _clock;
    private readonly MachineClock.Timer _timer;
    private readonly Action<bool> _line;
    private readonly DateTime _start;
    private readonly byte[] _bytes = new byte[128];
    private byte _index;
    private ulong _nextPeriod = MachineClock.Never;

    /// <summary>A clock.</summary>
    /// <param name="clock">Virtual time.</param>
    /// <param name="line">Sets line 8.</param>
    /// <param name="start">The date and time at reset, UTC.</param>
    /// <param name="memoryBytes">RAM, as firmware would have found it.</param>
    public CmosClock(MachineClock clock, Action<bool> line, DateTime start, ulong memoryBytes)
    {
        ArgumentNullException.ThrowIfNull(clock);
        (_clock, _line, _start) = (clock, line, start);
        _timer = clock.Add(this);
        _bytes[StatusA] = 0x26;
        _bytes[StatusB] = 0x02;
        _bytes[StatusD] = 0x80;
        PutMemory(memoryBytes);
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes)
    {
        if (port == 0x70)
        {
            return 0xFF;
        }

        switch (_index)
        {
            case <= 9 or 0x32:
                return ReadTime();
            case StatusA:
                bool updates = Second - (_clock.Now % Second) <= UpdateNanoseconds;
                return (uint)(_bytes[StatusA] & 0x7F) | (updates ? 0x80u : 0);
            case StatusC:
                byte flags = _bytes[StatusC];
                _bytes[StatusC] = 0;
                _line(false);
                return flags;
            default:
                return _bytes[_index];
        }
    }

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        if (port == 0x70)
        {
            _index = (byte)(value & 0x7F);
            return;
        }

        switch (_index)
        {
            case <= 9 and not (1 or 3 or 5) or 0x32:
                // The time is virtual: it is not set.
                break;
            case StatusC or StatusD:
                break;
            default:
                _bytes[_index] = (byte)value;
                break;
        }

        if (_index is StatusA or StatusB)
        {
            Schedule();
        }
    }

    /// <inheritdoc/>
    public void Elapsed()
    {
        byte cause = 0;
        if (_clock.Now >= _nextPeriod)
        {
            cause |= 0x40;
        }

        if ((_bytes[StatusB] & 0x10) != 0 && _clock.Now % Second < Second / 2 && _clock.Now / Second != _lastSecond)
        {
            cause |= 0x10;
        }

        _lastSecond = _clock.Now / Second;
        byte enabled = (byte)(cause & _bytes[StatusB]);
        _bytes[StatusC] |= cause;
        if (enabled != 0)
        {
            _bytes[StatusC] |= 0x80;
            _line(true);
        }

        Schedule();
    }

    private ulong _lastSecond;

    private void Schedule()
    {
        ulong now = _clock.Now;
        int rate = _bytes[StatusA] & 15;
        _nextPeriod = MachineClock.Never;
        if ((_bytes[StatusB] & 0x40) != 0 && rate != 0)
        {
            ulong frequency = 32768UL >> ((rate < 3 ? rate + 7 : rate) - 1);
            ulong period = Second / frequency;
            _nextPeriod = ((now / period) + 1) * period;
        }

        ulong update = (_bytes[StatusB] & 0x10) != 0 ? ((now / Second) + 1) * Second : MachineClock.Never;
        _timer.Set(Math.Min(_nextPeriod, update));
    }

    private uint ReadTime()
    {
        DateTime time = _start.AddTicks((long)(_clock.Now / 100));
        int value = _index switch
        {
            0 => time.Second,
            2 => time.Minute,
            4 => Hour(time.Hour),
            6 => (int)time.DayOfWeek + 1,
            7 => time.Day,
            8 => time.Month,
            9 => time.Year % 100,
            0x32 => time.Year / 100,
            _ => -1,
        };
        return value < 0 ? _bytes[_index] : Encode(value);
    }

    private int Hour(int hour) => (_bytes[StatusB] & 2) != 0 ? hour : hour % 12 == 0 ? 12 : hour % 12;

    private uint Encode(int value) => (_bytes[StatusB] & 4) != 0 ? (uint)value : (uint)(value % 10 | value / 10 << 4);

    private void PutMemory(ulong memoryBytes)
    {
        const ulong Mebibyte = 1 << 20;
        Put(0x15, 640);
        ulong above1 = Math.Min((memoryBytes - Math.Min(memoryBytes, Mebibyte)) >> 10, 0xFFFF);
        Put(0x17, above1);
        Put(0x30, above1);
        ulong low = Math.Min(memoryBytes, 3UL << 30);
        Put(0x34, low > 16 * Mebibyte ? (low - (16 * Mebibyte)) >> 16 : 0);
        ulong high = memoryBytes > 3UL << 30 ? (memoryBytes - (3UL << 30)) >> 16 : 0;
        Put(0x5B, high);
        _bytes[0x5D] = (byte)(high >> 16);
    }

    private void Put(int at, ulong value)
    {
        _bytes[at] = (byte)value;
        _bytes[at + 1] = (byte)(value >> 8);
    }
}
