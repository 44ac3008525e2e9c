using System.Buffers.Binary;

namespace MemVirt.Cpu.Loading;

/// <summary>The flat segments that a guest starts with, and the GDT that holds them (Intel SDM Vol. 3A §3.4.5).</summary>
internal static class BootDescriptors
{
    internal const uint Code64Attributes = 0xA09B;
    internal const uint Code32Attributes = 0xC09B;
    internal const uint DataAttributes = 0xC093;
    internal const uint TaskAttributes = 0x008B;
    internal const uint LocalTableAttributes = 0x0082;

    private const int DescriptorBytes = 8;

    /// <summary>Code or data from 0 to 4 GiB.</summary>
    internal static SegmentState Flat(ushort selector, uint attributes) => new(selector, 0, uint.MaxValue, attributes);

    /// <summary>Writes a GDT that ends with these segments, null descriptors before them.</summary>
    internal static TableState WriteTable(IGuestMemory memory, ulong gpa, SegmentState code, SegmentState data)
    {
        var table = new byte[data.Selector + DescriptorBytes];
        Put(table, code);
        Put(table, data);
        memory.Write(gpa, table);
        return new TableState(gpa, (ushort)(table.Length - 1));
    }

    private static void Put(byte[] table, SegmentState segment)
    {
        const ulong FlatLimit = 0x000F_0000_0000_FFFF;
        ulong descriptor = FlatLimit | ((ulong)segment.Attributes << 40);
        BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(segment.Selector), descriptor);
    }
}
