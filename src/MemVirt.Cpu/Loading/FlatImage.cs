namespace MemVirt.Cpu.Loading;

/// <summary>
/// A kernel whose Multiboot header itself says where it goes: the address fields that flag 16 announces (Multiboot Specification 0.6.96
/// §3.1.3), called the a.out kludge.
/// </summary>
internal static class FlatImage
{
    /// <exception cref="LoadException">The addresses contradict each other or the file.</exception>
    internal static (List<ImageSegment> Segments, ulong Entry) Read(BootFile file, ulong header)
    {
        ulong headerAddress = file.U32(header + 12, "header_addr");
        ulong loadAddress = file.U32(header + 16, "load_addr");
        ulong loadEnd = file.U32(header + 20, "load_end_addr");
        ulong bssEnd = file.U32(header + 24, "bss_end_addr");
        ulong entry = file.U32(header + 28, "entry_addr");
        if (headerAddress < loadAddress || headerAddress - loadAddress > header)
        {
            throw Wrong(header + 12, $"header_addr 0x{headerAddress:x} and load_addr 0x{loadAddress:x} put the image's start before the file's");
        }

        ulong start = header - (headerAddress - loadAddress);
        ulong fileBytes = loadEnd == 0 ? file.LengthBytes - start : loadEnd - loadAddress;
        if (loadEnd != 0 && loadEnd <= loadAddress)
        {
            throw Wrong(header + 20, $"load_end_addr 0x{loadEnd:x} is not after load_addr 0x{loadAddress:x}");
        }

        if (!file.Holds(start, fileBytes))
        {
            throw Wrong(
                header + 20,
                $"load_end_addr 0x{loadEnd:x} asks for 0x{fileBytes:x} bytes from offset 0x{start:x}, and the file ends at 0x{file.LengthBytes:x}");
        }

        ulong end = loadAddress + fileBytes;
        if (bssEnd != 0 && bssEnd < end)
        {
            throw Wrong(header + 24, $"bss_end_addr 0x{bssEnd:x} is before the end of what is loaded, 0x{end:x}");
        }

        var segment = new ImageSegment(loadAddress, Math.Max(end, bssEnd) - loadAddress, start, fileBytes, header + 16);
        return segment.Contains(entry)
            ? ([segment], entry)
            : throw Wrong(header + 28, $"entry_addr 0x{entry:x} is outside the image (0x{segment.Gpa:x} to 0x{segment.End:x})");

        LoadException Wrong(ulong offset, string what) => file.Wrong(offset, what, "mend the Multiboot header, or get the file again");
    }
}
