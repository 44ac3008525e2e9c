using System.Buffers.Binary;

namespace MemVirt.Cpu.Tests.Loading;

/// <summary>A bzImage with nothing in it but a header that is right and bytes to recognise; tests spoil it.</summary>
internal sealed class TestKernel
{
    internal const int SetupBytes = 1024;
    internal const int KernelBytes = 4096;
    internal const uint InitBytes = 0x10_0000;
    internal const ulong PreferredAddress = 0x100_0000;

    internal TestKernel()
    {
        Bytes = new byte[SetupBytes + KernelBytes];
        for (int i = SetupBytes; i < Bytes.Length; i++)
        {
            Bytes[i] = (byte)(i * 7);
        }

        Bytes[0x1F1] = 1;
        Put32(0x1F4, KernelBytes / 16);
        Put16(0x1FE, 0xAA55);
        Bytes[0x200] = 0xEB;
        Bytes[0x201] = 0x6A;
        "HdrS"u8.CopyTo(Bytes.AsSpan(0x202));
        Put16(0x206, 0x020F);
        Bytes[0x211] = 0x81;
        Put32(0x22C, 0x7FFF_FFFF);
        Put32(0x230, 0x20_0000);
        Bytes[0x234] = 1;
        Put16(0x236, 0x7F);
        Put32(0x238, 2047);
        Put32(0x248, 0x300);
        Put32(0x24C, 0x400);
        BinaryPrimitives.WriteUInt64LittleEndian(Bytes.AsSpan(0x258), PreferredAddress);
        Put32(0x260, InitBytes);
    }

    internal byte[] Bytes { get; }

    internal TestKernel Put16(int offset, ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(Bytes.AsSpan(offset), value);
        return this;
    }

    internal TestKernel Put32(int offset, uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(Bytes.AsSpan(offset), value);
        return this;
    }
}
