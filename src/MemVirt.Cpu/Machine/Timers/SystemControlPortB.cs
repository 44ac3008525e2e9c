namespace MemVirt.Cpu.Machine.Timers;

/// <summary>
/// Port 0x61: the gate of the timer's counter 2 (bit 0), the speaker's data (1), the two NMI disables (2, 3), and to be read, a toggle
/// with every refresh of memory (4) and counter 2's output (5). There is no speaker and no NMI source.
/// </summary>
/// <param name="pit">The timer.</param>
public sealed class SystemControlPortB(Pit8254 pit) : IPortDevice
{
    /// <summary>The port's number.</summary>
    public const ushort Port = 0x61;

    // Firmware gives counter 1 this count: a refresh every 15 microseconds.
    private const ulong RefreshPulses = 18;

    private byte _written;

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes)
    {
        bool refresh = (pit.Pulses / RefreshPulses & 1) != 0;
        return (uint)(_written | (refresh ? 0x10 : 0) | (pit.ReadSpeakerOut() ? 0x20 : 0));
    }

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        _written = (byte)(value & 0x0F);
        pit.SetSpeakerGate((value & 1) != 0);
    }
}
