using MemVirt.Cpu.Machine.Interrupts;

namespace MemVirt.Cpu.Machine.Ports;

/// <summary>
/// The PC's 8042 keyboard controller: data at port 0x60, status and commands at 0x64, byte-wide. A keyboard is plugged in; nothing is in
/// the auxiliary port, so that a byte for it comes back as FE with the timeout bit. It takes no time: an answer stands when the write
/// returns. Allocates nothing after construction.
/// </summary>
public sealed class Keyboard8042 : IPortDevice
{
    /// <summary>The port of data.</summary>
    public const ushort DataPort = 0x60;

    /// <summary>The port of status and commands.</summary>
    public const ushort CommandPort = 0x64;

    private const byte OutputFull = 0x01;
    private const byte SystemFlag = 0x04;
    private const byte LastWasCommand = 0x08;
    private const byte NotLocked = 0x10;
    private const byte AuxiliaryOutput = 0x20;
    private const byte Timeout = 0x40;

    private const byte KeyboardInterrupt = 0x01;
    private const byte AuxiliaryInterrupt = 0x02;
    private const byte KeyboardDisabled = 0x10;
    private const byte AuxiliaryDisabled = 0x20;
    private const byte Translates = 0x40;

    private const int QueuedAnswers = 8;

    private readonly InterruptLine _keyboardLine;
    private readonly InterruptLine _auxiliaryLine;
    private readonly SystemControlPortA _control;
    private readonly Keyboard _keyboard = new();
    private readonly FixedQueue<Answer> _answers = new(QueuedAnswers);
    private readonly byte[] _ram = new byte[32];
    private Answer _output;
    private bool _isOutputFull;
    private bool _lastWasCommand;
    private byte _awaitsDataFor;

    /// <summary>A controller as firmware leaves it: self-tested, interrupt on, translating, the auxiliary port off.</summary>
    /// <param name="keyboardLine">IRQ 1.</param>
    /// <param name="auxiliaryLine">IRQ 12.</param>
    /// <param name="control">The reset and A20 lines.</param>
    public Keyboard8042(InterruptLine keyboardLine, InterruptLine auxiliaryLine, SystemControlPortA control)
    {
        ArgumentNullException.ThrowIfNull(control);
        _keyboardLine = keyboardLine;
        _auxiliaryLine = auxiliaryLine;
        _control = control;
        CommandByte = KeyboardInterrupt | SystemFlag | AuxiliaryDisabled | Translates;
    }

    private byte CommandByte
    {
        get => _ram[0];
        set => _ram[0] = value;
    }

    private bool IsTranslating => (CommandByte & Translates) != 0;

    /// <summary>Codes of keys as the guest is to read them: of set 1 where it has translation on, as it is after reset, else of set 2.</summary>
    /// <returns>How many were taken, from the front; none while the keyboard does not scan.</returns>
    public int Press(ReadOnlySpan<byte> codes)
    {
        int taken = _keyboard.Press(codes);
        FillOutput();
        return taken;
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes) => port == DataPort ? ReadData() : ReadStatus();

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        _lastWasCommand = port != DataPort;
        if (_lastWasCommand)
        {
            _awaitsDataFor = 0;
            Obey((byte)value);
        }
        else
        {
            byte command = _awaitsDataFor;
            _awaitsDataFor = 0;
            WriteData(command, (byte)value);
        }

        FillOutput();
    }

    private byte ReadStatus()
        => (byte)(NotLocked | (CommandByte & SystemFlag) | (_lastWasCommand ? LastWasCommand : 0)
            | (_isOutputFull ? OutputFull | _output.Status : 0));

    private byte ReadData()
    {
        byte value = _output.Value;
        _isOutputFull = false;
        Drive();
        FillOutput();
        return value;
    }

    private void Obey(byte command)
    {
        switch (command)
        {
            case < 0x20:
                break;
            case < 0x40:
                Say(_ram[command & 0x1F]);
                break;
            case < 0x80:
                Await(command);
                break;
            case 0xA7:
                CommandByte |= AuxiliaryDisabled;
                break;
            case 0xA8:
                CommandByte &= unchecked((byte)~AuxiliaryDisabled);
                break;
            case 0xAA:
                CommandByte |= SystemFlag;
                Say(0x55);
                break;
            case 0xA9:
            case 0xAB:
                Say(0x00);
                break;
            case 0xAD:
                CommandByte |= KeyboardDisabled;
                break;
            case 0xAE:
                CommandByte &= unchecked((byte)~KeyboardDisabled);
                break;
            case 0xC0:
                Say(0x80);
                break;
            case 0xD0:
                Say(OutputPort());
                break;
            case >= 0xD1 and <= 0xD4:
                Await(command);
                break;
            case >= 0xF0 when (command & 1) == 0:
                _control.PulseReset();
                break;
        }
    }

    private void WriteData(byte command, byte value)
    {
        switch (command)
        {
            case 0:
                CommandByte &= unchecked((byte)~KeyboardDisabled);
                _keyboard.Receive(value, IsTranslating);
                break;
            case 0xD1:
                WriteOutputPort(value);
                break;
            case 0xD2:
                Say(value);
                break;
            case 0xD3:
                Say(value, AuxiliaryOutput);
                break;
            case 0xD4:
                Say(0xFE, AuxiliaryOutput | Timeout);
                break;
            default:
                _ram[command & 0x1F] = value;
                Drive();
                break;
        }
    }

    private void Await(byte command) => _awaitsDataFor = command;

    private void Say(byte value, byte status = 0) => _answers.TryAdd(new Answer(value, status));

    // The reset line is high, A20 as it is, and the two interrupts as they stand.
    private byte OutputPort()
    {
        bool isAuxiliary = (_output.Status & AuxiliaryOutput) != 0;
        int interrupts = !_isOutputFull ? 0 : isAuxiliary ? 0x20 : 0x10;
        return (byte)(0xC1 | (_control.IsA20Enabled ? 0x02 : 0) | interrupts);
    }

    private void WriteOutputPort(byte value)
    {
        _control.SetA20((value & 0x02) != 0);
        if ((value & 0x01) == 0)
        {
            _control.PulseReset();
        }
    }

    // The controller's own answers go before what the keyboard sends, and whether or not it is disabled.
    private void FillOutput()
    {
        if (_isOutputFull)
        {
            return;
        }

        if (_answers.Count != 0)
        {
            _output = _answers.Take();
        }
        else if (_keyboard.HasByte && (CommandByte & KeyboardDisabled) == 0)
        {
            _output = new Answer(_keyboard.Take(), 0);
        }
        else
        {
            return;
        }

        _isOutputFull = true;
        Drive();
    }

    private void Drive()
    {
        bool isAuxiliary = (_output.Status & AuxiliaryOutput) != 0;
        _keyboardLine.Set(_isOutputFull && !isAuxiliary && (CommandByte & KeyboardInterrupt) != 0);
        _auxiliaryLine.Set(_isOutputFull && isAuxiliary && (CommandByte & AuxiliaryInterrupt) != 0);
    }

    private readonly record struct Answer(byte Value, byte Status);
}
