namespace MemVirt.Cpu.Machine.Timers;

/// <summary>
/// A counter's byte-wide port of the 8254: the order of bytes, the count and status latches, BCD. The counting is <see cref="PitChannel"/>'s.
/// </summary>
internal sealed class PitRegister(bool gate)
{
    private const int LowByte = 1;
    private const int HighByte = 2;
    private const int LowThenHigh = 3;

    private int _access = LowThenHigh;
    private byte _control;
    private bool _isBcd;
    private bool _readsHighNext;
    private bool _writesHighNext;
    private byte _firstByte;
    private bool _isCountLatched;
    private uint _latchedCount;
    private bool _isStatusLatched;
    private byte _latchedStatus;

    internal PitChannel Channel { get; } = new(gate);

    /// <summary>A control word for this counter, not a latch command.</summary>
    /// <param name="control">RW1, RW0, M2 to M0 and BCD in bits 5:0.</param>
    internal void Configure(int control)
    {
        int mode = (control >> 1) & 7;
        _control = (byte)(control & 0x3F);
        _access = (control >> 4) & 3;
        _isBcd = (control & 1) != 0;
        _readsHighNext = false;
        _writesHighNext = false;
        _isCountLatched = false;
        _isStatusLatched = false;
        Channel.SetMode(mode > 5 ? mode - 4 : mode, _isBcd);
    }

    /// <summary>The counter latch command; a count that is latched stays until it is read.</summary>
    internal void LatchCount()
    {
        if (!_isCountLatched)
        {
            _isCountLatched = true;
            _latchedCount = EncodedCount();
        }
    }

    /// <summary>The read-back command's status latch; a status that is latched stays until it is read.</summary>
    internal void LatchStatus()
    {
        if (!_isStatusLatched)
        {
            _isStatusLatched = true;
            _latchedStatus = (byte)((Channel.Out ? 0x80 : 0) | (Channel.IsNullCount ? 0x40 : 0) | _control);
        }
    }

    internal byte Read()
    {
        if (_isStatusLatched)
        {
            _isStatusLatched = false;
            return _latchedStatus;
        }

        uint count = _isCountLatched ? _latchedCount : EncodedCount();
        bool isHigh = _access == HighByte || (_access == LowThenHigh && _readsHighNext);
        _readsHighNext = _access == LowThenHigh && !isHigh;
        _isCountLatched &= _readsHighNext;
        return (byte)(isHigh ? count >> 8 : count);
    }

    internal void Write(byte value)
    {
        switch (_access)
        {
            case LowByte:
                Channel.SetInitial(Decode(value));
                break;
            case HighByte:
                Channel.SetInitial(Decode((uint)value << 8));
                break;
            default:
                if (_writesHighNext)
                {
                    Channel.SetInitial(Decode(((uint)value << 8) | _firstByte));
                }
                else
                {
                    _firstByte = value;
                    Channel.HoldForSecondByte();
                }

                _writesHighNext = !_writesHighNext;
                break;
        }
    }

    private uint EncodedCount()
    {
        uint count = Channel.CountAsRead;
        return _isBcd
            ? (count % 10) | (count / 10 % 10 << 4) | (count / 100 % 10 << 8) | (count / 1000 << 12)
            : count;
    }

    private uint Decode(uint written)
        => _isBcd
            ? (written & 0xF) + (10 * ((written >> 4) & 0xF)) + (100 * ((written >> 8) & 0xF)) + (1000 * (written >> 12))
            : written;
}
