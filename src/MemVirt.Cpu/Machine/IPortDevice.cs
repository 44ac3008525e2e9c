namespace MemVirt.Cpu.Machine;

/// <summary>A device behind I/O ports (Intel SDM Vol. 1 ch. 19).</summary>
public interface IPortDevice
{
    /// <summary>IN: reads a port.</summary>
    /// <param name="port">The port's number.</param>
    /// <param name="sizeBytes">1, 2 or 4.</param>
    /// <returns>The value, its bits above the size 0; a port that nothing answers reads as all ones.</returns>
    uint Read(ushort port, int sizeBytes);

    /// <summary>OUT: writes a port.</summary>
    /// <param name="port">The port's number.</param>
    /// <param name="sizeBytes">1, 2 or 4.</param>
    /// <param name="value">The value, its bits above the size 0.</param>
    void Write(ushort port, int sizeBytes, uint value);
}
