using System.Buffers.Binary;

namespace MemVirt.Cpu.Machine.Timers;

/// <summary>What firmware leaves in the CMOS RAM of a PC: its equipment and the size of its memory.</summary>
internal static class CmosMemory
{
    private const ulong KiB = 1UL << 10;
    private const ulong MiB = 1UL << 20;

    /// <summary>Fills in the equipment, the sizes and the checksum.</summary>
    /// <param name="ram">The 128 bytes.</param>
    /// <param name="bytesBelow4GiB">Memory from address 0.</param>
    /// <param name="bytesAbove4GiB">Memory from address 4 GiB.</param>
    internal static void Describe(Span<byte> ram, ulong bytesBelow4GiB, ulong bytesAbove4GiB)
    {
        const byte hasFloatingPoint = 0x02;
        ram[0x14] = hasFloatingPoint;
        Store(ram[0x15..], Math.Min(bytesBelow4GiB, 640 * KiB) / KiB);
        ulong above1MiB = Above(bytesBelow4GiB, MiB) / KiB;
        Store(ram[0x17..], above1MiB);
        Store(ram[0x30..], above1MiB);
        Store(ram[0x34..], Above(bytesBelow4GiB, 16 * MiB) / (64 * KiB));
        ulong above4GiB = Math.Min(bytesAbove4GiB / (64 * KiB), 0xFF_FFFF);
        BinaryPrimitives.WriteUInt16LittleEndian(ram[0x5B..], (ushort)above4GiB);
        ram[0x5D] = (byte)(above4GiB >> 16);
        int sum = 0;
        foreach (byte value in ram[0x10..0x2E])
        {
            sum += value;
        }

        BinaryPrimitives.WriteUInt16BigEndian(ram[0x2E..], (ushort)sum);
    }

    private static ulong Above(ulong size, ulong start) => size > start ? size - start : 0;

    private static void Store(Span<byte> ram, ulong size)
        => BinaryPrimitives.WriteUInt16LittleEndian(ram, (ushort)Math.Min(size, ushort.MaxValue));
}
