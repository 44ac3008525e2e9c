namespace MemVirt.Cpu.Machine;

/// <summary>
/// The 8042 keyboard controller, ports 0x60 and 0x64, with a keyboard that answers and no mouse, and port 0x92 (fast A20 and reset). Far
/// enough for a kernel's probes and for a reset.
/// </summary>
/// <param name="line">Sets line 1.</param>
/// <param name="reset">The guest asks for a reset.</param>
public sealed class Keyboard8042(Action<bool> line, Action reset) : IPortDevice
{
    private const int QueueBytes = 32;
    private readonly byte[] _queue = new byte[QueueBytes];
    private int _first;
    private int _count;
    private byte _command = 0x61;
    private byte _outputPort = 0x03;
    private byte _expects;
    private byte _keyboardExpects;
    private bool _lastFromAux;

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes) => port switch
    {
        0x60 => ReadData(),
        0x64 => Status(),
        0x92 => _outputPort & 2u,
        _ => 0xFF,
    };

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        switch (port)
        {
            case 0x64:
                Command((byte)value);
                break;
            case 0x60 when _expects != 0:
                Parameter((byte)value);
                break;
            case 0x60:
                Keyboard((byte)value);
                break;
            case 0x92:
                _outputPort = (byte)((_outputPort & ~2) | ((int)value & 2));
                if ((value & 1) != 0)
                {
                    reset();
                }

                break;
        }

        Refresh();
    }

    private uint Status() => (_count > 0 ? 1u : 0) | 4u | 0x10u | (_count > 0 && _lastFromAux ? 0x20u : 0);

    private uint ReadData()
    {
        if (_count == 0)
        {
            return 0;
        }

        byte value = _queue[_first];
        _first = (_first + 1) % QueueBytes;
        _count--;
        line(false);
        Refresh();
        return value;
    }

    private void Command(byte value)
    {
        switch (value)
        {
            case 0x20:
                Answer(_command);
                break;
            case 0x60 or 0xD1 or 0xD2 or 0xD3 or 0xD4:
                _expects = value;
                break;
            case 0xA7:
                _command |= 0x20;
                break;
            case 0xA8:
                _command &= 0xDF;
                break;
            case 0xA9:
                // No mouse: the interface's clock line is stuck.
                Answer(0x01);
                break;
            case 0xAA:
                Answer(0x55);
                break;
            case 0xAB:
                Answer(0x00);
                break;
            case 0xAD:
                _command |= 0x10;
                break;
            case 0xAE:
                _command &= 0xEF;
                break;
            case 0xC0:
                Answer(0x80);
                break;
            case 0xD0:
                Answer(_outputPort);
                break;
            case >= 0xF0 when (value & 1) == 0:
                reset();
                break;
        }
    }

    private void Parameter(byte value)
    {
        byte expected = _expects;
        _expects = 0;
        switch (expected)
        {
            case 0x60:
                _command = value;
                break;
            case 0xD1:
                _outputPort = value;
                if ((value & 1) == 0)
                {
                    reset();
                }

                break;
            case 0xD2:
                Answer(value);
                break;
            case 0xD3:
                Answer(value, isAux: true);
                break;
        }
    }

    private void Keyboard(byte value)
    {
        if (_keyboardExpects != 0)
        {
            bool asks = _keyboardExpects == 0xF0 && value == 0;
            _keyboardExpects = 0;
            Answer(0xFA);
            if (asks)
            {
                Answer(2);
            }

            return;
        }

        switch (value)
        {
            case 0xFF:
                Answer(0xFA);
                Answer(0xAA);
                break;
            case 0xF2:
                Answer(0xFA);
                Answer(0xAB);
                Answer(0x83);
                break;
            case 0xEE:
                Answer(0xEE);
                break;
            case 0xED or 0xF0 or 0xF3:
                _keyboardExpects = value;
                Answer(0xFA);
                break;
            default:
                Answer(0xFA);
                break;
        }
    }

    private void Answer(byte value, bool isAux = false)
    {
        if (_count == QueueBytes)
        {
            return;
        }

        _queue[(_first + _count) % QueueBytes] = value;
        _count++;
        _lastFromAux = isAux;
    }

    private void Refresh() => line(_count > 0 && (_command & 1) != 0);
}
