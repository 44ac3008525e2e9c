using System.Numerics;

namespace MemVirt.Cpu.Machine.Interrupts;

/// <summary>
/// One Intel 8259A (datasheet 231468), in 8086 mode whatever ICW4 says. It asks for nothing until it is initialised. ICW1's LTIM is
/// ignored, as in every chipset that has the ELCR instead.
/// </summary>
/// <param name="cascadeInput">The input that a slave's output is wired to, as a mask; 0 for a slave.</param>
/// <param name="levelCapable">The inputs that the ELCR can make level-triggered.</param>
internal sealed class PicChip(byte cascadeInput, byte levelCapable)
{
    private enum Expects
    {
        Icw1,
        Icw2,
        Icw3,
        Icw4,
        Operation,
    }

    private const int None = 8;
    private const byte SpuriousInput = 7;

    private Expects _expects = Expects.Icw1;
    private byte _lines;
    private byte _edges;
    private byte _levelTriggered;
    private byte _mask;
    private byte _inService;
    private byte _vectorBase;
    private int _lowestPriority = 7;
    private bool _isSingle;
    private bool _hasIcw4;
    private bool _readsInService;
    private bool _isSpecialMask;
    private bool _isSpecialFullyNested;
    private bool _isAutomaticEoi;
    private bool _rotatesOnAutomaticEoi;

    /// <summary>The INT output: an unmasked request stands above what is in service.</summary>
    internal bool HasRequest => Requested() != None;

    /// <summary>ELCR: a 1 makes an input level-triggered. Inputs that cannot be stay edge-triggered.</summary>
    internal byte LevelTriggered
    {
        get => _levelTriggered;
        set => _levelTriggered = (byte)(value & levelCapable);
    }

    /// <summary>The next read is a poll, which acknowledges.</summary>
    internal bool PollsNext { get; private set; }

    // An edge's request goes when its line falls before the acknowledge; what was to be its interrupt is then a spurious one.
    private byte Requests => (byte)((_lines & _levelTriggered) | (_edges & ~_levelTriggered));

    internal void SetLine(int input, bool level)
    {
        byte bit = (byte)(1 << input);
        if (level)
        {
            _edges |= (byte)(bit & ~_lines);
            _lines |= bit;
        }
        else
        {
            _edges &= (byte)~bit;
            _lines &= (byte)~bit;
        }
    }

    /// <summary>The INTA cycle: the vector, or input 7's, without its in-service bit, where the request is gone.</summary>
    /// <param name="isCascade">Whether a slave gives the vector.</param>
    internal byte Acknowledge(out bool isCascade)
    {
        int input = Requested();
        isCascade = false;
        if (input == None)
        {
            return (byte)(_vectorBase | SpuriousInput);
        }

        isCascade = (cascadeInput & (1 << input)) != 0;
        Accept(input);
        return (byte)(_vectorBase | input);
    }

    /// <summary>Reads IRR, ISR or a poll's answer from the even port, IMR from the odd one.</summary>
    internal byte Read(bool isOddPort)
    {
        if (PollsNext)
        {
            PollsNext = false;
            return Poll();
        }

        return isOddPort ? _mask : _readsInService ? _inService : Requests;
    }

    internal void Write(bool isOddPort, byte value)
    {
        if (isOddPort)
        {
            WriteOdd(value);
        }
        else if ((value & 0x10) != 0)
        {
            Initialise(value);
        }
        else if ((value & 0x08) != 0)
        {
            WriteOcw3(value);
        }
        else
        {
            WriteOcw2(value);
        }
    }

    private void WriteOdd(byte value)
    {
        switch (_expects)
        {
            case Expects.Icw2:
                _vectorBase = (byte)(value & 0xF8);
                _expects = !_isSingle ? Expects.Icw3 : _hasIcw4 ? Expects.Icw4 : Expects.Operation;
                break;
            case Expects.Icw3:
                _expects = _hasIcw4 ? Expects.Icw4 : Expects.Operation;
                break;
            case Expects.Icw4:
                _isSpecialFullyNested = (value & 0x10) != 0;
                _isAutomaticEoi = (value & 0x02) != 0;
                _expects = Expects.Operation;
                break;
            default:
                _mask = value;
                break;
        }
    }

    private void Initialise(byte icw1)
    {
        _hasIcw4 = (icw1 & 0x01) != 0;
        _isSingle = (icw1 & 0x02) != 0;
        _edges = 0;
        _mask = 0;
        _inService = 0;
        _lowestPriority = 7;
        _readsInService = false;
        PollsNext = false;
        _isSpecialMask = false;
        _isSpecialFullyNested = false;
        _isAutomaticEoi = false;
        _rotatesOnAutomaticEoi = false;
        _expects = Expects.Icw2;
    }

    private void WriteOcw3(byte value)
    {
        PollsNext = (value & 0x04) != 0;
        if ((value & 0x02) != 0)
        {
            _readsInService = (value & 0x01) != 0;
        }

        if ((value & 0x40) != 0)
        {
            _isSpecialMask = (value & 0x20) != 0;
        }
    }

    private void WriteOcw2(byte value)
    {
        int level = value & 7;
        bool rotates = (value & 0x80) != 0;
        switch ((value >> 5) & 3)
        {
            case 0:
                _rotatesOnAutomaticEoi = rotates;
                break;
            case 1:
                level = Highest(_isSpecialMask ? (byte)(_inService & ~_mask) : _inService);
                if (level != None)
                {
                    EndOfInterrupt(level, rotates);
                }

                break;
            case 2 when rotates:
                _lowestPriority = level;
                break;
            case 3:
                EndOfInterrupt(level, rotates);
                break;
        }
    }

    private void EndOfInterrupt(int level, bool rotates)
    {
        _inService &= (byte)~(1 << level);
        if (rotates)
        {
            _lowestPriority = level;
        }
    }

    private byte Poll()
    {
        int input = Requested();
        if (input == None)
        {
            return 0;
        }

        Accept(input);
        return (byte)(0x80 | input);
    }

    private void Accept(int input)
    {
        _edges &= (byte)~(1 << input);
        if (!_isAutomaticEoi)
        {
            _inService |= (byte)(1 << input);
        }
        else if (_rotatesOnAutomaticEoi)
        {
            _lowestPriority = input;
        }
    }

    private int Requested()
    {
        int input = Highest((byte)(Requests & ~_mask));
        if (input == None || _expects != Expects.Operation)
        {
            return None;
        }

        int blocking = _inService;
        if (_isSpecialMask)
        {
            blocking &= ~_mask;
        }

        if (_isSpecialFullyNested)
        {
            blocking &= ~cascadeInput;
        }

        int inService = Highest((byte)blocking);
        return inService == None || PriorityOf(input) < PriorityOf(inService) ? input : None;
    }

    private int PriorityOf(int input) => (input - _lowestPriority - 1) & 7;

    private int Highest(byte inputs)
    {
        if (inputs == 0)
        {
            return None;
        }

        int first = (_lowestPriority + 1) & 7;
        int rotated = ((inputs >> first) | (inputs << (8 - first))) & 0xFF;
        return (BitOperations.TrailingZeroCount(rotated) + first) & 7;
    }
}
