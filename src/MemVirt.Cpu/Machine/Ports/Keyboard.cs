namespace MemVirt.Cpu.Machine.Ports;

/// <summary>
/// An AT keyboard at the far end of the 8042's cable: it answers every command of the set that systems probe with, and sends the codes
/// it is given. Commands that carry a parameter acknowledge that too.
/// </summary>
internal sealed class Keyboard
{
    private const byte Acknowledge = 0xFA;
    private const byte Resend = 0xFE;
    private const byte SelfTestPassed = 0xAA;
    private const byte GetOrSetScancodes = 0xF0;

    // What fits between the guest's reads: an answer of three bytes and the codes of a few keys.
    private const int QueuedBytes = 32;

    private readonly FixedQueue<byte> _sent = new(QueuedBytes);
    private byte _awaitsParameterOf;
    private byte _scancodeSet = 2;
    private byte _last;

    internal bool HasByte => _sent.Count != 0;

    /// <summary>Whether it reports keys: F4 says so, F5, F6 and FF change it.</summary>
    internal bool IsScanning { get; private set; } = true;

    /// <summary>The next byte on the cable. There must be one.</summary>
    internal byte Take() => _last = _sent.Take();

    /// <summary>Codes of keys; what the queue has no room for, or all while it does not scan, is not taken.</summary>
    internal int Press(ReadOnlySpan<byte> codes)
    {
        int taken = 0;
        while (IsScanning && taken < codes.Length && _sent.TryAdd(codes[taken]))
        {
            taken++;
        }

        return taken;
    }

    /// <summary>A byte from the system.</summary>
    internal void Receive(byte value, bool isTranslated)
    {
        byte command = _awaitsParameterOf;
        _awaitsParameterOf = 0;
        if (command == 0)
        {
            Obey(value, isTranslated);
            return;
        }

        Send(Acknowledge);
        if (command == GetOrSetScancodes && value == 0)
        {
            Send(_scancodeSet);
        }
        else if (command == GetOrSetScancodes && value <= 3)
        {
            _scancodeSet = value;
        }
    }

    private void Obey(byte command, bool isTranslated)
    {
        switch (command)
        {
            case 0xED: // LEDs
            case 0xF3: // typematic rate
            case GetOrSetScancodes:
                _awaitsParameterOf = command;
                Send(Acknowledge);
                break;
            case 0xEE:
                Send(0xEE);
                break;
            case 0xF2:
                Send(Acknowledge);
                Send(0xAB);
                Send((byte)(isTranslated ? 0x41 : 0x83));
                break;
            case 0xF4:
                IsScanning = true;
                Send(Acknowledge);
                break;
            case 0xF5:
            case 0xF6:
                SetDefaults(scans: command == 0xF6);
                Send(Acknowledge);
                break;
            case 0xFE:
                Send(_last);
                break;
            case 0xFF:
                SetDefaults(scans: true);
                Send(Acknowledge);
                Send(SelfTestPassed);
                break;
            default:
                Send(Resend);
                break;
        }
    }

    private void SetDefaults(bool scans)
    {
        _sent.Clear();
        _scancodeSet = 2;
        IsScanning = scans;
    }

    private void Send(byte value) => _sent.TryAdd(value);
}
