namespace MemVirt.Cpu.Machine.Ports;

/// <summary>
/// The 64 Ki I/O ports and the devices behind them. An access wider than a device's port goes to it byte by byte, the lowest port
/// first, each byte to its own port, as ISA does. A port that nothing claims reads all ones and ignores writes: so do PCI
/// configuration (0xCF8, 0xCFC), which says that there is no PCI, and the POST and delay port 0x80. After the last
/// <see cref="Map"/> nothing allocates.
/// </summary>
public sealed class PortBus : IPortDevice
{
    private const int PortCount = 0x1_0000;

    private readonly byte[] _claims = new byte[PortCount];
    private readonly List<Claim> _devices = [new(null!, 0)];

    /// <summary>Puts a device behind ports.</summary>
    /// <param name="first">The first port's number.</param>
    /// <param name="count">How many ports, at least 1.</param>
    /// <param name="device">The device; it is given whole port numbers.</param>
    /// <param name="widestBytes">The widest access it takes in one: 1, 2 or 4.</param>
    /// <exception cref="ArgumentOutOfRangeException">The ports are not within 0 to 0xFFFF, or the width is another.</exception>
    /// <exception cref="InvalidOperationException">One of the ports is claimed, or there are 255 devices.</exception>
    public void Map(ushort first, int count, IPortDevice device, int widestBytes = 1)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, PortCount - first);
        if (widestBytes is not (1 or 2 or 4))
        {
            throw new ArgumentOutOfRangeException(nameof(widestBytes), widestBytes, "A port is 1, 2 or 4 bytes wide.");
        }

        Span<byte> claims = _claims.AsSpan(first, count);
        int claimed = claims.IndexOfAnyExcept((byte)0);
        if (claimed >= 0)
        {
            throw new InvalidOperationException($"Port 0x{first + claimed:X} is claimed twice.");
        }

        if (_devices.Count > byte.MaxValue)
        {
            throw new InvalidOperationException($"A port bus has at most {byte.MaxValue} devices.");
        }

        claims.Fill((byte)_devices.Count);
        _devices.Add(new Claim(device, widestBytes));
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes)
    {
        if (IsTakenWhole(port, sizeBytes))
        {
            return _devices[_claims[port]].Device.Read(port, sizeBytes);
        }

        uint value = 0;
        for (int index = 0; index < sizeBytes; index++)
        {
            ushort part = (ushort)(port + index);
            int claim = _claims[part];
            uint read = claim == 0 ? 0xFF : _devices[claim].Device.Read(part, 1);
            value |= read << (8 * index);
        }

        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        if (IsTakenWhole(port, sizeBytes))
        {
            _devices[_claims[port]].Device.Write(port, sizeBytes, value);
            return;
        }

        for (int index = 0; index < sizeBytes; index++)
        {
            ushort part = (ushort)(port + index);
            int claim = _claims[part];
            if (claim != 0)
            {
                _devices[claim].Device.Write(part, 1, (byte)(value >> (8 * index)));
            }
        }
    }

    private bool IsTakenWhole(ushort port, int sizeBytes)
    {
        int claim = _claims[port];
        return claim != 0 && _devices[claim].WidestBytes >= sizeBytes && _claims[(ushort)(port + sizeBytes - 1)] == claim;
    }

    private readonly record struct Claim(IPortDevice Device, int WidestBytes);
}
