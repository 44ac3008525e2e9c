namespace MemVirt.Cpu.Machine;

/// <summary>
/// A 16550A serial port (National Semiconductor PC16550D data sheet). What is sent leaves at once; what is received waits in a FIFO of 16
/// bytes. Registers are at the base port and the seven after it.
/// </summary>
public sealed class Uart16550 : IPortDevice
{
    private const int FifoBytes = 16;
    private const byte DataReady = 0x01;
    private const byte Overrun = 0x02;
    private const byte TransmitterEmpty = 0x60;
    private readonly Action<bool> _line;
    private readonly Action<byte> _output;
    private readonly byte[] _fifo = new byte[FifoBytes];
    private readonly int _base;
    private int _received;
    private int _first;
    private byte _interruptEnable;
    private byte _lineControl;
    private byte _modemControl;
    private byte _scratch;
    private ushort _divisor = 1;
    private bool _hasFifo;
    private bool _transmitterInterrupt;
    private bool _overrun;

    /// <summary>A port.</summary>
    /// <param name="basePort">The first of its eight ports: 0x3F8 of COM1.</param>
    /// <param name="line">Sets its interrupt line: 4 of COM1.</param>
    /// <param name="output">Takes what the guest sends.</param>
    public Uart16550(ushort basePort, Action<bool> line, Action<byte> output)
    {
        _base = basePort;
        _line = line;
        _output = output;
    }

    /// <summary>How many bytes the receiver has room for.</summary>
    public int Room => (_hasFifo ? FifoBytes : 1) - _received;

    /// <summary>Bytes arrive; returns how many there was room for.</summary>
    public int Receive(ReadOnlySpan<byte> bytes)
    {
        int taken = Math.Min(bytes.Length, Math.Max(Room, 0));
        for (int i = 0; i < taken; i++)
        {
            Put(bytes[i]);
        }

        Refresh();
        return taken;
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes)
    {
        bool latch = (_lineControl & 0x80) != 0;
        switch (port - _base)
        {
            case 0 when latch:
                return (byte)_divisor;
            case 0:
                return ReadData();
            case 1:
                return latch ? (byte)(_divisor >> 8) : _interruptEnable;
            case 2:
                return ReadIdentification();
            case 3:
                return _lineControl;
            case 4:
                return _modemControl;
            case 5:
                uint status = TransmitterEmpty | (_received > 0 ? DataReady : 0u) | (_overrun ? Overrun : 0u);
                _overrun = false;
                Refresh();
                return status;
            case 6:
                return ModemStatus();
            default:
                return _scratch;
        }
    }

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        bool latch = (_lineControl & 0x80) != 0;
        switch (port - _base)
        {
            case 0 when latch:
                _divisor = (ushort)((_divisor & 0xFF00) | (byte)value);
                break;
            case 0:
                Send((byte)value);
                break;
            case 1 when latch:
                _divisor = (ushort)((_divisor & 0xFFu) | ((value & 0xFFu) << 8));
                break;
            case 1:
                bool wasOff = (_interruptEnable & 2) == 0;
                _interruptEnable = (byte)(value & 15);
                _transmitterInterrupt |= wasOff && (value & 2) != 0;
                break;
            case 2:
                WriteFifoControl((byte)value);
                break;
            case 3:
                _lineControl = (byte)value;
                break;
            case 4:
                _modemControl = (byte)(value & 0x1F);
                break;
            case 7:
                _scratch = (byte)value;
                break;
        }

        Refresh();
    }

    private void Send(byte value)
    {
        if ((_modemControl & 0x10) != 0)
        {
            if (Room > 0)
            {
                Put(value);
            }
            else
            {
                _overrun = true;
            }
        }
        else
        {
            _output(value);
        }

        _transmitterInterrupt = true;
    }

    private void Put(byte value)
    {
        _fifo[(_first + _received) % FifoBytes] = value;
        _received++;
    }

    private byte ReadData()
    {
        if (_received == 0)
        {
            return 0;
        }

        byte value = _fifo[_first];
        _first = (_first + 1) % FifoBytes;
        _received--;
        Refresh();
        return value;
    }

    private uint ReadIdentification()
    {
        uint fifo = _hasFifo ? 0xC0u : 0;
        uint cause = Cause();
        if (cause == 2)
        {
            _transmitterInterrupt = false;
            Refresh();
        }

        return fifo | cause;
    }

    /// <summary>The cause as IIR has it: 6 line status, 4 data, 2 transmitter empty, 1 none.</summary>
    private uint Cause()
    {
        if ((_interruptEnable & 4) != 0 && _overrun)
        {
            return 6;
        }

        if ((_interruptEnable & 1) != 0 && _received > 0)
        {
            return 4;
        }

        return (_interruptEnable & 2) != 0 && _transmitterInterrupt ? 2u : 1;
    }

    private void WriteFifoControl(byte value)
    {
        bool hasFifo = (value & 1) != 0;
        if (hasFifo != _hasFifo || (value & 2) != 0)
        {
            _received = _first = 0;
        }

        _hasFifo = hasFifo;
    }

    /// <summary>The far end is always there; in loopback, MCR's outputs come back.</summary>
    private uint ModemStatus()
    {
        if ((_modemControl & 0x10) == 0)
        {
            return 0xB0;
        }

        return ((_modemControl & 1) != 0 ? 0x20u : 0) | ((_modemControl & 2) != 0 ? 0x10u : 0) | ((_modemControl & 4) != 0 ? 0x40u : 0)
               | ((_modemControl & 8) != 0 ? 0x80u : 0);
    }

    private void Refresh()
    {
        // OUT2 connects the interrupt on a PC.
        bool isConnected = (_modemControl & 0x18) == 8;
        _line(isConnected && Cause() != 1);
    }
}
