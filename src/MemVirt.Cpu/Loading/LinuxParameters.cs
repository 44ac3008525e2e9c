using System.Buffers.Binary;

namespace MemVirt.Cpu.Loading;

/// <summary>struct boot_params, the "zero page" (Linux Documentation/arch/x86/zero-page.rst).</summary>
internal static class LinuxParameters
{
    private const int PageBytes = 4096;
    private const int EntryCountOffset = 0x1E8;
    private const int LoaderTypeOffset = 0x210;
    private const int LoadFlagsOffset = 0x211;
    private const int MemoryMapOffset = 0x2D0;
    private const int MemoryMapEntryBytes = 20;
    private const byte UndefinedLoader = 0xFF;
    private const byte LoadedHigh = 1;

    internal static byte[] Build(LinuxHeader header, LinuxPlacement placement, GuestMemoryMap map)
    {
        var page = new byte[PageBytes];
        header.Setup.CopyTo(page.AsSpan((int)LinuxHeader.Start));
        page[LoaderTypeOffset] = UndefinedLoader;
        page[LoadFlagsOffset] = LoadedHigh;
        Put32(page, 0x214, (uint)placement.Kernel);
        Put32(page, 0x218, (uint)placement.Initrd);
        Put32(page, 0x21C, (uint)(placement.InitrdFile?.LengthBytes ?? 0));
        Put32(page, 0x228, (uint)LinuxPlacement.CommandLine);
        BinaryPrimitives.WriteUInt64LittleEndian(page.AsSpan(0x250), 0); // setup_data: none
        page[EntryCountOffset] = (byte)map.Regions.Count;
        for (int i = 0; i < map.Regions.Count; i++)
        {
            Span<byte> entry = page.AsSpan(MemoryMapOffset + (i * MemoryMapEntryBytes));
            BinaryPrimitives.WriteUInt64LittleEndian(entry, map.Regions[i].Start);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], map.Regions[i].LengthBytes);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[16..], (uint)map.Regions[i].Kind);
        }

        return page;
    }

    private static void Put32(byte[] page, int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(offset), value);
}
