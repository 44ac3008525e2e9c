namespace MemVirt.Cpu.Machine;

/// <summary>A device behind a range of guest-physical addresses.</summary>
public interface IMemoryDevice
{
    /// <summary>Reads a register.</summary>
    /// <param name="offset">Bytes from the range's start.</param>
    /// <param name="sizeBytes">1, 2, 4 or 8.</param>
    /// <returns>The value, its bits above the size 0.</returns>
    ulong Read(ulong offset, int sizeBytes);

    /// <summary>Writes a register.</summary>
    /// <param name="offset">Bytes from the range's start.</param>
    /// <param name="sizeBytes">1, 2, 4 or 8.</param>
    /// <param name="value">The value, its bits above the size 0.</param>
    void Write(ulong offset, int sizeBytes, ulong value);
}
