using System.Buffers.Binary;

namespace MemVirt.Cpu.Tests.Loading;

/// <summary>A Multiboot kernel as a 32-bit ELF file with one segment, its header at 0x80; tests spoil it.</summary>
internal sealed class TestImage
{
    internal const int HeaderOffset = 0x80;
    internal const uint LoadAddress = 0x10_0000;
    internal const uint MemoryBytes = 0x3000;

    internal TestImage(uint flags = 3)
    {
        Bytes = new byte[0x1000];
        for (int i = 0x100; i < Bytes.Length; i++)
        {
            Bytes[i] = (byte)(i * 5);
        }

        "\u007fELF\u0001\u0001\u0001"u8.CopyTo(Bytes);
        Put16(16, 2);
        Put16(18, 3);
        Put32(20, 1);
        Put32(24, LoadAddress + 0x200);
        Put32(28, 52);
        Put16(42, 32);
        Put16(44, 1);
        PutSegment(52, 0, LoadAddress, (uint)Bytes.Length, MemoryBytes);
        PutHeader(flags);
    }

    internal byte[] Bytes { get; }

    internal TestImage PutSegment(int at, uint offset, uint address, uint fileBytes, uint memoryBytes)
        => Put32(at, 1).Put32(at + 4, offset).Put32(at + 8, address).Put32(at + 12, address).Put32(at + 16, fileBytes).Put32(at + 20, memoryBytes);

    internal TestImage PutHeader(uint flags)
        => Put32(HeaderOffset, 0x1BADB002).Put32(HeaderOffset + 4, flags).Put32(HeaderOffset + 8, unchecked(0u - 0x1BADB002 - flags));

    /// <summary>The address fields; the file need be no ELF file then.</summary>
    internal TestImage PutAddresses(uint header, uint load, uint loadEnd, uint bssEnd, uint entry)
        => Put32(HeaderOffset + 12, header).Put32(HeaderOffset + 16, load).Put32(HeaderOffset + 20, loadEnd)
            .Put32(HeaderOffset + 24, bssEnd).Put32(HeaderOffset + 28, entry);

    internal TestImage Put16(int offset, ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(Bytes.AsSpan(offset), value);
        return this;
    }

    internal TestImage Put32(int offset, uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(Bytes.AsSpan(offset), value);
        return this;
    }
}
