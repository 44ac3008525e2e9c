using System.Buffers.Binary;

namespace MemVirt.Cpu.Machine.Ports;

/// <summary>
/// QEMU's firmware configuration device, as far as a kernel that is loaded directly asks it: how much memory there is and how many
/// processors (QEMU, "QEMU Firmware Configuration (fw_cfg) Device"). A 16-bit write to the first port selects an item; each read of the
/// second is its next byte, and 0 past its end. There are no files and no DMA.
/// </summary>
public sealed class FirmwareConfiguration : IPortDevice
{
    /// <summary>The selector's port, 16 bits wide.</summary>
    public const ushort SelectorPort = 0x510;

    /// <summary>The data's port.</summary>
    public const ushort DataPort = 0x511;

    private const int Signature = 0x0000;
    private const int Features = 0x0001;
    private const int MemoryBytes = 0x0003;
    private const int Processors = 0x0005;
    private const int MostProcessors = 0x000F;

    // Only the interface by ports, without DMA.
    private const int Traditional = 1;

    private readonly byte[] _signature = "QEMU"u8.ToArray();
    private readonly byte[] _features = [Traditional, 0, 0, 0];
    private readonly byte[] _memory = new byte[8];
    private readonly byte[] _processors = [1, 0];
    private byte[] _item;
    private int _next;

    /// <summary>The device of a machine with one processor.</summary>
    /// <param name="memoryBytes">Its memory.</param>
    public FirmwareConfiguration(ulong memoryBytes)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_memory, memoryBytes);
        _item = _signature;
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes)
        => port == DataPort && sizeBytes == 1 ? (_next < _item.Length ? _item[_next++] : 0u) : 0;

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        if (port != SelectorPort || sizeBytes != 2)
        {
            return;
        }

        _next = 0;
        _item = value switch
        {
            Signature => _signature,
            Features => _features,
            MemoryBytes => _memory,
            Processors or MostProcessors => _processors,
            _ => [],
        };
    }
}
