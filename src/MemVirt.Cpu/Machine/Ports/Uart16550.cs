using MemVirt.Cpu.Machine.Interrupts;

namespace MemVirt.Cpu.Machine.Ports;

/// <summary>
/// A 16550A serial port (National PC16550D datasheet), eight byte-wide ports from a base. Sending takes no time: the transmitter is
/// always empty, so that a guest that polls for it never waits. As on a PC, OUT2 connects the interrupt, and loopback disconnects it.
/// Receiving is the caller's pace; the FIFO's timeout is four characters of the programmed format. The peer's modem lines are DCD, DSR
/// and CTS, all on. Allocates nothing after construction.
/// </summary>
public sealed class Uart16550 : IPortDevice, ITimedDevice
{
    /// <summary>COM1's ports; its line is IRQ 4.</summary>
    public const ushort Com1Port = 0x3F8;

    /// <summary>COM2's ports; its line is IRQ 3.</summary>
    public const ushort Com2Port = 0x2F8;

    /// <summary>Ports that it takes.</summary>
    public const int PortCount = 8;

    private const ulong NanosecondsPerSecond = 1_000_000_000;
    private const ulong BaudPerDivisor = 115_200;

    private const int DataPort = 0;
    private const int InterruptEnablePort = 1;
    private const int InterruptIdentityPort = 2;
    private const int LineControlPort = 3;
    private const int ModemControlPort = 4;
    private const int LineStatusPort = 5;
    private const int ModemStatusPort = 6;

    private const byte ReceiveInterrupt = 0x01;
    private const byte TransmitInterrupt = 0x02;
    private const byte LineInterrupt = 0x04;
    private const byte ModemInterrupt = 0x08;
    private const byte DivisorLatch = 0x80;
    private const byte Loopback = 0x10;
    private const byte Out2 = 0x08;
    private const byte TransmitterEmpty = 0x60;
    private const byte PeerReady = 0xB0;

    private readonly InterruptLine _line;
    private readonly Action<byte> _output;
    private readonly MachineClock _clock;
    private readonly MachineClock.Timer _timer;
    private readonly UartReceiver _receiver = new();
    private byte _interruptEnable;
    private byte _lineControl;
    private byte _modemControl;
    private byte _modemStatus = PeerReady;
    private byte _scratch;
    private ushort _divisor = 12;
    private bool _wantsTransmit;
    private bool _isTimedOut;

    /// <summary>A serial port on a line.</summary>
    /// <param name="clock">The time that the receive timeout counts in.</param>
    /// <param name="line">IRQ 4 for COM1, IRQ 3 for COM2.</param>
    /// <param name="output">Takes each byte that is sent, on the thread that runs the machine.</param>
    public Uart16550(MachineClock clock, InterruptLine line, Action<byte> output)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(output);
        _clock = clock;
        _line = line;
        _output = output;
        _timer = clock.Add(this);
    }

    /// <summary>How many bytes <see cref="Receive"/> would take now: 0 to 16, none in loopback.</summary>
    public int ReceiveCapacity => IsLoopback ? 0 : _receiver.Free;

    private bool IsLoopback => (_modemControl & Loopback) != 0;

    private bool IsDivisorLatch => (_lineControl & DivisorLatch) != 0;

    /// <summary>Bytes from the wire.</summary>
    /// <returns>How many were taken, from the front; the caller keeps the rest until the guest has read.</returns>
    public int Receive(ReadOnlySpan<byte> bytes)
    {
        int taken = Math.Min(bytes.Length, ReceiveCapacity);
        foreach (byte character in bytes[..taken])
        {
            _receiver.Add(character);
        }

        if (taken != 0)
        {
            RestartTimeout();
            Drive();
        }

        return taken;
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes)
    {
        byte value = ReadRegister(port & 7);
        Drive();
        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        WriteRegister(port & 7, (byte)value);
        Drive();
    }

    /// <inheritdoc/>
    public void Elapsed()
    {
        _isTimedOut = _receiver.IsFifo && _receiver.HasData;
        Drive();
    }

    private byte ReadRegister(int register)
    {
        switch (register)
        {
            case DataPort when IsDivisorLatch:
                return (byte)_divisor;
            case DataPort:
                byte character = _receiver.Take();
                RestartTimeout();
                return character;
            case InterruptEnablePort:
                return IsDivisorLatch ? (byte)(_divisor >> 8) : _interruptEnable;
            case InterruptIdentityPort:
                return ReadInterruptIdentity();
            case LineControlPort:
                return _lineControl;
            case ModemControlPort:
                return _modemControl;
            case LineStatusPort:
                byte status = LineStatus();
                _receiver.HasOverrun = false;
                return status;
            case ModemStatusPort:
                byte modem = _modemStatus;
                _modemStatus &= 0xF0;
                return modem;
            default:
                return _scratch;
        }
    }

    private void WriteRegister(int register, byte value)
    {
        switch (register)
        {
            case DataPort when IsDivisorLatch:
                _divisor = (ushort)((_divisor & 0xFF00) | value);
                break;
            case DataPort:
                Send(value);
                break;
            case InterruptEnablePort when IsDivisorLatch:
                _divisor = (ushort)((_divisor & 0x00FF) | (value << 8));
                break;
            case InterruptEnablePort:
                _wantsTransmit |= (value & ~_interruptEnable & TransmitInterrupt) != 0;
                _interruptEnable = (byte)(value & 0x0F);
                break;
            case InterruptIdentityPort:
                _receiver.Configure(value);
                RestartTimeout();
                break;
            case LineControlPort:
                _lineControl = value;
                break;
            case ModemControlPort:
                _modemControl = (byte)(value & 0x1F);
                SetModemLines(IsLoopback ? LoopedLines() : PeerReady);
                break;
            case LineStatusPort:
            case ModemStatusPort:
                break;
            default:
                _scratch = value;
                break;
        }
    }

    private void Send(byte character)
    {
        _wantsTransmit = true;
        if (!IsLoopback)
        {
            _output(character);
        }
        else
        {
            _receiver.Add(character);
            RestartTimeout();
        }
    }

    private byte LineStatus()
        => (byte)(TransmitterEmpty | (_receiver.HasData ? 0x01 : 0) | (_receiver.HasOverrun ? 0x02 : 0));

    private byte ReadInterruptIdentity()
    {
        byte identity = InterruptIdentity();
        if (identity == 0x02)
        {
            _wantsTransmit = false;
        }

        return (byte)(identity | (_receiver.IsFifo ? 0xC0 : 0));
    }

    // The highest of four priorities, or "none pending" (datasheet, table IV).
    private byte InterruptIdentity()
    {
        if (_receiver.HasOverrun && (_interruptEnable & LineInterrupt) != 0)
        {
            return 0x06;
        }

        if ((_interruptEnable & ReceiveInterrupt) != 0)
        {
            if (_receiver.IsTriggered)
            {
                return 0x04;
            }

            if (_isTimedOut)
            {
                return 0x0C;
            }
        }

        if (_wantsTransmit && (_interruptEnable & TransmitInterrupt) != 0)
        {
            return 0x02;
        }

        bool modemChanged = (_modemStatus & 0x0F) != 0 && (_interruptEnable & ModemInterrupt) != 0;
        return (byte)(modemChanged ? 0x00 : 0x01);
    }

    private byte LoopedLines()
    {
        int rts = (_modemControl >> 1) & 1;
        int dtr = _modemControl & 1;
        int outs = (_modemControl >> 2) & 3;
        return (byte)((rts << 4) | (dtr << 5) | (outs << 6));
    }

    // DCTS, DDSR and DDCD say that a line changed; TERI that RI fell.
    private void SetModemLines(byte lines)
    {
        int before = _modemStatus >> 4;
        int now = lines >> 4;
        int deltas = ((before ^ now) & 0b1011) | (before & ~now & 0b0100);
        _modemStatus = (byte)((_modemStatus & 0x0F) | deltas | lines);
    }

    private void RestartTimeout()
    {
        _isTimedOut = false;
        _timer.Set(_receiver.IsFifo && _receiver.HasData ? _clock.Now + TimeoutNanoseconds() : MachineClock.Never);
    }

    private ulong TimeoutNanoseconds()
    {
        int dataBits = 5 + (_lineControl & 3);
        int stopBits = 1 + ((_lineControl >> 2) & 1);
        int parityBits = (_lineControl >> 3) & 1;
        ulong bits = 4 * (ulong)(1 + dataBits + parityBits + stopBits);
        return bits * Math.Max(_divisor, (ushort)1) * NanosecondsPerSecond / BaudPerDivisor;
    }

    private void Drive() => _line.Set(InterruptIdentity() != 0x01 && (_modemControl & (Loopback | Out2)) == Out2);
}
