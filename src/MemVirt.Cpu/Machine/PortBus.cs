namespace MemVirt.Cpu.Machine;

/// <summary>The I/O ports: 65,536 of them, each a device's or nobody's. Devices are a byte wide, but for those that say otherwise.</summary>
public sealed class PortBus
{
    private readonly IPortDevice?[] _devices = new IPortDevice?[1 << 16];

    /// <summary>Gives ports to a device.</summary>
    /// <param name="first">The first port.</param>
    /// <param name="count">How many.</param>
    /// <param name="device">The device.</param>
    public void Claim(ushort first, int count, IPortDevice device) => _devices.AsSpan(first, count).Fill(device);

    /// <summary>IN; all ones where nobody answers.</summary>
    public uint Read(ushort port, int sizeBytes)
    {
        if (_devices[port] is DebugExitPort wide)
        {
            return wide.Read(port, sizeBytes);
        }

        uint value = 0;
        for (int i = 0; i < sizeBytes; i++)
        {
            var at = (ushort)(port + i);
            value |= (_devices[at]?.Read(at, 1) ?? 0xFF) << (i * 8);
        }

        return value;
    }

    /// <summary>OUT; nothing where nobody listens.</summary>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        if (_devices[port] is DebugExitPort wide)
        {
            wide.Write(port, sizeBytes, value);
            return;
        }

        for (int i = 0; i < sizeBytes; i++)
        {
            var at = (ushort)(port + i);
            _devices[at]?.Write(at, 1, (byte)(value >> (i * 8)));
        }
    }
}
