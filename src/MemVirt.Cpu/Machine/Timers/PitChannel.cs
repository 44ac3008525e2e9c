namespace MemVirt.Cpu.Machine.Timers;

/// <summary>
/// A counter of the 8254 (Intel datasheet 231164): its counting element over any number of CLK pulses at once. A count of 1, which
/// modes 2 and 3 do not allow, is 2 there.
/// </summary>
internal sealed class PitChannel(bool gate)
{
    /// <summary>No change of OUT ahead.</summary>
    internal const ulong Never = ulong.MaxValue;

    private ulong _pulses;
    private int _mode;
    private uint _modulus = 0x1_0000;
    private uint _initial;
    private uint _count;
    private uint _half;
    private uint _halfLeft;
    private uint _initialOfHalf;
    private bool _gate = gate;
    private bool _hasInitial;
    private bool _isLoading;
    private bool _isCounting;
    private bool _isArmed;

    /// <summary>The OUT pin at the pulse that was last advanced to.</summary>
    internal bool Out { get; private set; }

    /// <summary>The status byte's NULL COUNT: what was written is not yet in the counting element.</summary>
    internal bool IsNullCount { get; private set; } = true;

    /// <summary>The counting element, 0 to the modulus less 1.</summary>
    internal uint Count => _mode == 3 && _isCounting ? ((_initialOfHalf & ~1U) - (2 * (_half - _halfLeft))) % _modulus : _count;

    /// <summary>
    /// The counting element as software reads it. A port access of a PC takes longer than a CLK pulse, and software counts on that: what
    /// was written is there, where here some instructions take less than a pulse (Linux's quick calibration of its TSC would fail).
    /// </summary>
    internal uint CountAsRead => _isLoading && _mode is not (1 or 5) ? _initial % _modulus : Count;

    private uint Remaining => _count == 0 ? _modulus : _count;

    private uint Period => Math.Max(_initial, 2);

    private bool CountsNow => _gate || _mode is 1 or 5;

    /// <summary>The pulse at which OUT changes next if nothing is written; <see cref="Never"/> for none.</summary>
    internal ulong NextChange
    {
        get
        {
            ulong pulses = PulsesToChange();
            return pulses == Never ? Never : _pulses + pulses;
        }
    }

    /// <summary>A control word: the mode, and whether to count in BCD.</summary>
    internal void SetMode(int mode, bool isBcd)
    {
        _count = Count;
        _mode = mode;
        _modulus = isBcd ? 10_000U : 0x1_0000U;
        _count %= _modulus;
        _hasInitial = false;
        _isLoading = false;
        _isCounting = false;
        _isArmed = false;
        IsNullCount = true;
        Out = mode != 0;
    }

    /// <summary>The first byte of a count of two: mode 0 stops.</summary>
    internal void HoldForSecondByte()
    {
        if (_mode == 0)
        {
            _isLoading = false;
            _isCounting = false;
            Out = false;
        }
    }

    /// <summary>A whole count is written, 0 for the modulus.</summary>
    internal void SetInitial(uint initial)
    {
        initial %= _modulus;
        _initial = initial == 0 ? _modulus : initial;
        _hasInitial = true;
        IsNullCount = true;
        _isLoading |= _mode is 0 or 4 || (_mode is 2 or 3 && !_isCounting);
        Out &= _mode != 0;
    }

    internal void SetGate(bool level)
    {
        bool rises = level && !_gate;
        _gate = level;
        _isLoading |= rises && _hasInitial && _mode is not (0 or 4);
        Out |= !level && (_mode is 2 or 3);
    }

    /// <summary>Lets CLK pulse until a pulse, counted from reset; not one that is past.</summary>
    internal void AdvanceTo(ulong pulse)
    {
        ulong pulses = pulse - _pulses;
        _pulses = pulse;
        if (pulses == 0)
        {
            return;
        }

        Out |= _mode is 4 or 5;
        if (_isLoading)
        {
            Load();
            pulses--;
        }

        if (pulses == 0 || !_isCounting || !CountsNow)
        {
            return;
        }

        switch (_mode)
        {
            case 2:
                CountPeriods(pulses);
                break;
            case 3:
                CountHalves(pulses);
                break;
            default:
                CountDown(pulses);
                break;
        }
    }

    private void Load()
    {
        _isLoading = false;
        _isCounting = true;
        _isArmed = true;
        IsNullCount = false;
        switch (_mode)
        {
            case 1:
                _count = _initial % _modulus;
                Out = false;
                break;
            case 2:
                _count = Period % _modulus;
                Out = true;
                break;
            case 3:
                StartHalf(isHigh: true);
                break;
            default:
                _count = _initial % _modulus;
                break;
        }
    }

    private void CountDown(ulong pulses)
    {
        uint left = Remaining;
        _count = (_count + _modulus - (uint)(pulses % _modulus)) % _modulus;
        if (_isArmed && pulses >= left)
        {
            _isArmed = false;
            Out = _mode is 0 or 1 || pulses != left;
        }
    }

    private void CountPeriods(ulong pulses)
    {
        uint left = Remaining;
        if (pulses < left)
        {
            _count = left - (uint)pulses;
        }
        else
        {
            IsNullCount = false;
            _count = (Period - (uint)((pulses - left) % Period)) % _modulus;
        }

        Out = _count != 1;
    }

    private void CountHalves(ulong pulses)
    {
        if (pulses >= _halfLeft)
        {
            pulses -= _halfLeft;
            StartHalf(!Out);
            pulses %= Period;
            if (pulses >= _halfLeft)
            {
                pulses -= _halfLeft;
                StartHalf(!Out);
            }
        }

        _halfLeft -= (uint)pulses;
    }

    // A new count takes effect with a half of the wave; an odd one's high half is the longer.
    private void StartHalf(bool isHigh)
    {
        Out = isHigh;
        IsNullCount = false;
        _initialOfHalf = Period;
        _half = HalfOf(Period, isHigh);
        _halfLeft = _half;
    }

    private static uint HalfOf(uint period, bool isHigh) => (period + (isHigh ? 1U : 0U)) / 2;

    private ulong PulsesToChange()
    {
        bool isInStrobe = !Out && (_mode is 2 or 4 or 5);
        bool startsOneShot = _mode == 1 && _isLoading && Out;
        if (isInStrobe || startsOneShot)
        {
            return 1;
        }

        if (!CountsNow || !(_isLoading || _isCounting))
        {
            return Never;
        }

        return _mode switch
        {
            2 => (_isLoading ? 1 + Period : Remaining) - 1,
            3 => _isLoading ? 1 + HalfOf(Period, isHigh: true) : _halfLeft,
            _ => _isLoading ? 1UL + _initial : _isArmed ? Remaining : Never,
        };
    }
}
