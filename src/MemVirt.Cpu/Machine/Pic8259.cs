using System.Numerics;

namespace MemVirt.Cpu.Machine;

/// <summary>
/// The two cascaded 8259A interrupt controllers of a PC: ports 0x20, 0x21, 0xA0, 0xA1, and the edge/level registers 0x4D0 and 0x4D1
/// (Intel 8259A data sheet). Lines 0 to 15; line 2 is the cascade.
/// </summary>
public sealed class Pic8259 : IPortDevice, IInterruptController
{
    private const int Cascade = 2;
    private const int Lines = 8;
    private readonly Chip _master = new(0);
    private readonly Chip _slave = new(0x70);

    /// <summary>Called when an interrupt begins to wait; null for nobody.</summary>
    public Action? PendingChanged { get; set; }

    /// <inheritdoc/>
    public bool IsPending { get; private set; }

    /// <summary>Raises or lowers a line.</summary>
    /// <param name="line">0 to 15.</param>
    /// <param name="isHigh">The level.</param>
    public void SetLine(int line, bool isHigh)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)line, 15u);
        (line < Lines ? _master : _slave).SetLine(line & (Lines - 1), isHigh);
        Refresh();
    }

    /// <inheritdoc/>
    public byte Acknowledge()
    {
        // Where nothing waits any more, the request is spurious: line 7.
        int line = _master.Accept();
        byte vector = _master.VectorOf(line);
        if (line == Cascade)
        {
            vector = _slave.VectorOf(_slave.Accept());
        }

        Refresh();
        return vector;
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes)
    {
        switch (port)
        {
            case 0x20 or 0xA0:
                uint value = ChipOf(port).ReadCommand();
                Refresh();
                return value;
            case 0x21 or 0xA1:
                return ChipOf(port).Mask;
            case 0x4D0:
                return _master.LevelTriggered;
            case 0x4D1:
                return _slave.LevelTriggered;
            default:
                return 0xFF;
        }
    }

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        switch (port)
        {
            case 0x20 or 0xA0:
                ChipOf(port).WriteCommand((byte)value);
                break;
            case 0x21 or 0xA1:
                ChipOf(port).WriteData((byte)value);
                break;
            case 0x4D0:
                _master.LevelTriggered = (byte)(value & 0xF8);
                break;
            case 0x4D1:
                _slave.LevelTriggered = (byte)(value & 0xDE);
                break;
        }

        Refresh();
    }

    private Chip ChipOf(ushort port) => port < 0xA0 ? _master : _slave;

    private void Refresh()
    {
        _master.SetLine(Cascade, _slave.Best() >= 0);
        bool isPending = _master.Best() >= 0;
        bool isNew = isPending && !IsPending;
        IsPending = isPending;
        if (isNew)
        {
            PendingChanged?.Invoke();
        }
    }

    /// <summary>One 8259A.</summary>
    private sealed class Chip(byte vectorBase)
    {
        private byte _requests;
        private byte _inService;
        private byte _levels;
        private byte _vectorBase = vectorBase;
        private int _lowestPriority = Lines - 1;
        private int _initialization;
        private bool _needsFourth;
        private bool _isSingle;
        private bool _endsAutomatically;
        private bool _rotatesOnAutomaticEnd;
        private bool _isSpecialMask;
        private bool _readsInService;
        private bool _polls;

        public byte Mask { get; private set; }

        public byte LevelTriggered { get; set; }

        public void SetLine(int line, bool isHigh)
        {
            byte bit = (byte)(1 << line);
            bool isEdge = (LevelTriggered & bit) == 0;
            if (isHigh)
            {
                if (!isEdge || (_levels & bit) == 0)
                {
                    _requests |= bit;
                }

                _levels |= bit;
                return;
            }

            _levels &= (byte)~bit;
            _requests &= (byte)~bit;
        }

        /// <summary>The line that would interrupt now, or −1.</summary>
        public int Best()
        {
            int waiting = _requests & ~Mask;
            if (waiting == 0)
            {
                return -1;
            }

            int priority = PriorityOf(waiting);
            int inService = _isSpecialMask ? _inService & ~Mask : _inService;
            return priority < PriorityOf(inService) ? LineOf(priority) : -1;
        }

        /// <summary>Takes the best line into service; 7 where none waits.</summary>
        public int Accept()
        {
            int line = Best();
            if (line < 0)
            {
                return Lines - 1;
            }

            byte bit = (byte)(1 << line);
            if ((LevelTriggered & bit) == 0)
            {
                _requests &= (byte)~bit;
            }

            if (!_endsAutomatically)
            {
                _inService |= bit;
            }
            else if (_rotatesOnAutomaticEnd)
            {
                _lowestPriority = line;
            }

            return line;
        }

        public byte VectorOf(int line) => (byte)(_vectorBase + line);

        public uint ReadCommand()
        {
            if (!_polls)
            {
                return _readsInService ? _inService : _requests;
            }

            _polls = false;
            int line = Best();
            if (line < 0)
            {
                return 0;
            }

            Accept();
            return 0x80u | (uint)line;
        }

        public void WriteCommand(byte value)
        {
            if ((value & 0x10) != 0)
            {
                Initialize(value);
            }
            else if ((value & 0x08) != 0)
            {
                WriteThird(value);
            }
            else
            {
                WriteSecond(value);
            }
        }

        public void WriteData(byte value)
        {
            switch (_initialization)
            {
                case 2:
                    _vectorBase = (byte)(value & 0xF8);
                    _initialization = !_isSingle ? 3 : _needsFourth ? 4 : 0;
                    break;
                case 3:
                    _initialization = _needsFourth ? 4 : 0;
                    break;
                case 4:
                    _endsAutomatically = (value & 2) != 0;
                    _initialization = 0;
                    break;
                default:
                    Mask = value;
                    break;
            }
        }

        private void Initialize(byte value)
        {
            _needsFourth = (value & 1) != 0;
            _isSingle = (value & 2) != 0;
            _initialization = 2;
            _requests = _levels = _inService = Mask = 0;
            _lowestPriority = Lines - 1;
            _endsAutomatically = _rotatesOnAutomaticEnd = _isSpecialMask = _readsInService = _polls = false;
        }

        private void WriteSecond(byte value)
        {
            int line = value & 7;
            switch (value >> 5)
            {
                case 0:
                    _rotatesOnAutomaticEnd = false;
                    break;
                case 4:
                    _rotatesOnAutomaticEnd = true;
                    break;
                case 1:
                    EndBest(rotates: false);
                    break;
                case 5:
                    EndBest(rotates: true);
                    break;
                case 3:
                    _inService &= (byte)~(1 << line);
                    break;
                case 7:
                    _inService &= (byte)~(1 << line);
                    _lowestPriority = line;
                    break;
                case 6:
                    _lowestPriority = line;
                    break;
            }
        }

        private void WriteThird(byte value)
        {
            _polls = (value & 4) != 0;
            if ((value & 2) != 0)
            {
                _readsInService = (value & 1) != 0;
            }

            if ((value & 0x40) != 0)
            {
                _isSpecialMask = (value & 0x20) != 0;
            }
        }

        private void EndBest(bool rotates)
        {
            if (_inService == 0)
            {
                return;
            }

            int line = LineOf(PriorityOf(_inService));
            _inService &= (byte)~(1 << line);
            if (rotates)
            {
                _lowestPriority = line;
            }
        }

        /// <summary>The best priority of some lines, 0 to 7; 8 for none.</summary>
        private int PriorityOf(int lines)
        {
            if (lines == 0)
            {
                return Lines;
            }

            int first = (_lowestPriority + 1) & 7;
            int rotated = ((lines >> first) | (lines << (Lines - first))) & 0xFF;
            return BitOperations.TrailingZeroCount(rotated);
        }

        private int LineOf(int priority) => (priority + _lowestPriority + 1) & 7;
    }
}
