namespace MemVirt.Cpu.Tests.Machine.Timers;

/// <summary>
/// A counter of the 8254 as its datasheet tells it, one CLK pulse after another; binary or decimal, whole counts only.
/// </summary>
internal sealed class LiteralCounter(bool gate)
{
    private int _mode;
    private int _modulus = 0x1_0000;
    private int _register;
    private bool _written;
    private bool _loadNext;
    private bool _running;
    private bool _expiryAhead;
    private bool _oddExtra;
    private int _element;
    private bool _gate = gate;

    internal bool Out { get; private set; }

    internal bool NullCount { get; private set; } = true;

    internal int Element => _element;

    internal void SetMode(int mode, bool isBcd)
    {
        _mode = mode;
        _modulus = isBcd ? 10_000 : 0x1_0000;
        _element %= _modulus;
        (_written, _loadNext, _running, _expiryAhead) = (false, false, false, false);
        NullCount = true;
        Out = mode != 0;
    }

    internal void Write(int count)
    {
        _register = count == 0 ? _modulus : count;
        _written = true;
        NullCount = true;
        if (_mode is 0 or 4 || (_mode is 2 or 3 && !_running))
        {
            _loadNext = true;
        }

        if (_mode == 0)
        {
            Out = false;
        }
    }

    internal void SetGate(bool level)
    {
        bool rises = level && !_gate;
        if (rises && _written && (_mode is 1 or 2 or 3 or 5))
        {
            _loadNext = true;
        }

        if (!level && (_mode is 2 or 3))
        {
            Out = true;
        }

        _gate = level;
    }

    internal void Pulse()
    {
        if (_mode is 4 or 5)
        {
            Out = true;
        }

        if (_loadNext)
        {
            (_loadNext, _running, _expiryAhead, NullCount) = (false, true, true, false);
            Out = _mode switch { 1 => false, 2 or 3 => true, _ => Out };
            Load();
            return;
        }

        if (!_running || (!_gate && (_mode is 0 or 2 or 3 or 4)))
        {
            return;
        }

        switch (_mode)
        {
            case 2:
                if (_element == 1)
                {
                    NullCount = false;
                    Load();
                    Out = true;
                }
                else
                {
                    Decrement();
                    Out = _element != 1;
                }

                break;
            case 3:
                PulseSquareWave();
                break;
            default:
                Decrement();
                if (_element == 0 && _expiryAhead)
                {
                    _expiryAhead = false;
                    Out = _mode < 2;
                }

                break;
        }
    }

    // Even: twos down to 0, toggle and reload. Odd: less 1 and twos; the high half has one pulse more, at 0.
    private void PulseSquareWave()
    {
        if (_element == 0 && _oddExtra)
        {
            _oddExtra = false;
        }
        else
        {
            _element = (_element - 2 + _modulus) % _modulus;
            if (_element != 0 || _oddExtra)
            {
                return;
            }
        }

        Out = !Out;
        NullCount = false;
        Load();
    }

    private void Load()
    {
        int count = _mode is 2 or 3 ? Math.Max(_register, 2) : _register;
        _oddExtra = _mode == 3 && count % 2 == 1 && Out;
        _element = (_mode == 3 ? count & ~1 : count) % _modulus;
    }

    private void Decrement() => _element = (_element - 1 + _modulus) % _modulus;
}
