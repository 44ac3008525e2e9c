using MemVirt.Cpu.Machine.Interrupts;

namespace MemVirt.Cpu.Machine.Timers;

/// <summary>
/// The PC's real-time clock and its 128 bytes of CMOS RAM (Motorola MC146818A datasheet): the index with the NMI mask at port 0x70, the
/// data at 0x71, byte-wide. The time is a given start plus virtual time. The flags follow from the clock when they are asked; a timer is
/// set only for an enabled interrupt that is yet to come. There is no daylight saving and no square wave. Allocates nothing after
/// construction.
/// </summary>
public sealed class CmosRtc : IPortDevice, ITimedDevice
{
    /// <summary>The first of the two ports.</summary>
    public const ushort Port = 0x70;

    private const int RamBytes = 128;
    private const ulong Hertz = 32_768;
    private const int SecondAlarm = 0x01;
    private const int MinuteAlarm = 0x03;
    private const int HourAlarm = 0x05;
    private const int RegisterA = 0x0A;
    private const int RegisterB = 0x0B;
    private const int RegisterC = 0x0C;
    private const int RegisterD = 0x0D;
    private const int CenturyRegister = 0x32;

    // The update cycle of 1984 us, and the 244 us before it in which UIP already stands.
    private const ulong UpdateTicks = 73;

    private const byte Set = 0x80;
    private const byte PeriodicFlag = 0x40;
    private const byte AlarmFlag = 0x20;
    private const byte UpdateFlag = 0x10;
    private const byte IsBinary = 0x04;
    private const byte Is24Hour = 0x02;
    private const byte AfterNoon = 0x80;
    private const byte ValidRam = 0x80;

    private readonly MachineClock _clock;
    private readonly InterruptLine _line;
    private readonly MachineClock.Timer _timer;
    private readonly byte[] _ram = new byte[RamBytes];
    private RtcCalendar _time;
    private byte _index;
    private byte _registerA = 0x26;
    private byte _registerB = Is24Hour;
    private byte _flags;

    // Ticks of the divider chain: a second ends where its low 15 bits are 0. It is at _ticks - _origin, and was settled at _settled.
    private ulong _origin;
    private ulong _settled;

    /// <summary>A clock that shows a start now, at the beginning of that second.</summary>
    /// <param name="clock">The virtual time that moves it.</param>
    /// <param name="line">IRQ 8.</param>
    /// <param name="start">The date and time shown.</param>
    /// <param name="bytesBelow4GiB">Memory from address 0, for the size registers.</param>
    /// <param name="bytesAbove4GiB">Memory from address 4 GiB, for the size registers.</param>
    public CmosRtc(MachineClock clock, InterruptLine line, DateTime start, ulong bytesBelow4GiB, ulong bytesAbove4GiB)
    {
        ArgumentNullException.ThrowIfNull(clock);
        _clock = clock;
        _line = line;
        _timer = clock.Add(this);
        _time = new RtcCalendar(start);
        _origin = Ticks;
        CmosMemory.Describe(_ram, bytesBelow4GiB, bytesAbove4GiB);
    }

    /// <summary>Bit 7 of the index port: the guest wants no NMI.</summary>
    public bool IsNmiMasked { get; private set; }

    private static Oscillator Crystal { get; } = new(Hertz);

    private ulong Ticks => Crystal.TicksAt(_clock.Now);

    private bool IsDividerHeld => (_registerA & 0x60) == 0x60;

    private bool IsSet => (_registerB & Set) != 0;

    private bool IsInUpdate => !IsSet && !IsDividerHeld && _settled % Hertz >= Hertz - UpdateTicks;

    // Rates 1 and 2 are those of 8 and 9 (datasheet, table 5).
    private ulong PeriodTicks => (_registerA & 0x0F) switch
    {
        0 => 0,
        int rate and < 3 => 1UL << (rate + 6),
        int rate => 1UL << (rate - 1),
    };

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes)
    {
        if ((port & 1) == 0)
        {
            return 0xFF;
        }

        Settle();
        byte value = ReadRegister();
        Drive();
        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        if ((port & 1) == 0)
        {
            _index = (byte)(value & (RamBytes - 1));
            IsNmiMasked = (value & 0x80) != 0;
            return;
        }

        Settle();
        WriteRegister((byte)value);
        Drive();
    }

    /// <inheritdoc/>
    public void Elapsed()
    {
        Settle();
        Drive();
    }

    private byte ReadRegister()
    {
        switch (_index)
        {
            case 0x00: return Encode(_time.Second);
            case 0x02: return Encode(_time.Minute);
            case 0x04: return EncodeHour(_time.Hour);
            case 0x06: return Encode(_time.Weekday);
            case 0x07: return Encode(_time.Day);
            case 0x08: return Encode(_time.Month);
            case 0x09: return Encode(_time.Year);
            case CenturyRegister: return Encode(_time.Century);
            case RegisterA: return (byte)(_registerA | (IsInUpdate ? 0x80 : 0));
            case RegisterB: return _registerB;
            case RegisterC:
                byte flags = (byte)(_flags | (IsInterrupting() ? 0x80 : 0));
                _flags = 0;
                return flags;
            case RegisterD: return ValidRam;
            default: return _ram[_index];
        }
    }

    private void WriteRegister(byte value)
    {
        switch (_index)
        {
            case 0x00: _time.Second = Decode(value); break;
            case 0x02: _time.Minute = Decode(value); break;
            case 0x04: _time.Hour = DecodeHour(value); break;
            case 0x06: _time.Weekday = Decode(value); break;
            case 0x07: _time.Day = Decode(value); break;
            case 0x08: _time.Month = Decode(value); break;
            case 0x09: _time.Year = Decode(value); break;
            case CenturyRegister: _time.Century = Decode(value); break;
            case RegisterA: WriteRegisterA(value); break;
            case RegisterB:
                const byte updateEnable = UpdateFlag;
                _registerB = (byte)((value & Set) != 0 ? value & ~updateEnable : value);
                break;
            case RegisterC:
            case RegisterD: break;
            default: _ram[_index] = value; break;
        }
    }

    // Held, the chain stands at 0; let go, the first update is half a second later.
    private void WriteRegisterA(byte value)
    {
        bool wasHeld = IsDividerHeld;
        _registerA = (byte)(value & 0x7F);
        if (IsDividerHeld)
        {
            _settled = 0;
        }
        else if (wasHeld)
        {
            _settled = Hertz / 2;
            _origin = Ticks - _settled;
        }
    }

    private void Settle()
    {
        if (IsDividerHeld)
        {
            return;
        }

        ulong chain = Ticks - _origin;
        ulong period = PeriodTicks;
        if (period != 0 && chain / period != _settled / period)
        {
            _flags |= PeriodicFlag;
        }

        ulong seconds = (chain / Hertz) - (_settled / Hertz);
        _settled = chain;
        if (seconds != 0 && !IsSet)
        {
            _flags |= (byte)(UpdateFlag | (MatchesAlarm(seconds) ? AlarmFlag : 0));
            _time.Add(seconds);
        }
    }

    private bool MatchesAlarm(ulong seconds)
    {
        int tried = (int)Math.Min(seconds, RtcCalendar.SecondsPerDay);
        int ofDay = _time.SecondOfDay;
        for (int ahead = 1; ahead <= tried; ahead++)
        {
            int at = (ofDay + ahead) % RtcCalendar.SecondsPerDay;
            if (Matches(_ram[SecondAlarm], Encode(at % 60))
                && Matches(_ram[MinuteAlarm], Encode(at / 60 % 60))
                && Matches(_ram[HourAlarm], EncodeHour(at / 3600)))
            {
                return true;
            }
        }

        return false;
    }

    // Both top bits set: any value will do.
    private static bool Matches(byte alarm, byte time) => alarm >= 0xC0 || alarm == time;

    private bool IsInterrupting() => (_flags & _registerB & (PeriodicFlag | AlarmFlag | UpdateFlag)) != 0;

    private void Drive()
    {
        _line.Set(IsInterrupting());
        ulong next = NextEvent();
        _timer.Set(next == MachineClock.Never ? next : Crystal.TimeOf(_origin + next));
    }

    private ulong NextEvent()
    {
        ulong next = MachineClock.Never;
        if (IsDividerHeld || IsInterrupting())
        {
            return next;
        }

        if ((_registerB & PeriodicFlag) != 0 && PeriodTicks != 0)
        {
            next = After(PeriodTicks);
        }

        if ((_registerB & (AlarmFlag | UpdateFlag)) != 0 && !IsSet)
        {
            next = Math.Min(next, After(Hertz));
        }

        return next;
    }

    private ulong After(ulong period) => ((_settled / period) + 1) * period;

    private byte Encode(int value)
        => (byte)((_registerB & IsBinary) != 0 ? value : ((value / 10) << 4) | (value % 10));

    private int Decode(byte value) => (_registerB & IsBinary) != 0 ? value : (10 * (value >> 4)) + (value & 0x0F);

    private byte EncodeHour(int hour)
    {
        if ((_registerB & Is24Hour) != 0)
        {
            return Encode(hour);
        }

        int ofHalfDay = hour % 12 == 0 ? 12 : hour % 12;
        return (byte)(Encode(ofHalfDay) | (hour >= 12 ? AfterNoon : 0));
    }

    private int DecodeHour(byte value)
    {
        if ((_registerB & Is24Hour) != 0)
        {
            return Decode(value);
        }

        int ofHalfDay = Decode((byte)(value & ~AfterNoon)) % 12;
        return ofHalfDay + ((value & AfterNoon) != 0 ? 12 : 0);
    }
}
