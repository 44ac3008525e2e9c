namespace MemVirt.Cpu.Machine.Ports;

/// <summary>
/// Port 0x92, byte-wide: fast reset (bit 0, where it goes from 0 to 1) and fast A20 (bit 1); and the two lines themselves, which the
/// keyboard controller drives too. A20 is on after reset, as firmware leaves it.
/// </summary>
public sealed class SystemControlPortA : IPortDevice
{
    /// <summary>The port's number.</summary>
    public const ushort Port = 0x92;

    private const byte FastReset = 0x01;
    private const byte FastA20 = 0x02;

    private byte _written;

    /// <summary>Called where the guest resets the machine, by this port or by the keyboard controller; null for nobody.</summary>
    public Action? ResetRequested { get; set; }

    /// <summary>Whether address bit 20 is let through.</summary>
    public bool IsA20Enabled { get; private set; } = true;

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes) => (uint)(_written | (IsA20Enabled ? FastA20 : 0));

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        bool resets = (value & ~_written & FastReset) != 0;
        _written = (byte)(value & ~FastA20);
        IsA20Enabled = (value & FastA20) != 0;
        if (resets)
        {
            PulseReset();
        }
    }

    internal void SetA20(bool isEnabled) => IsA20Enabled = isEnabled;

    internal void PulseReset() => ResetRequested?.Invoke();
}
