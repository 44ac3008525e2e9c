namespace MemVirt.Cpu.Loading;

/// <summary>A kernel's Multiboot header (Multiboot Specification 0.6.96 §3.1).</summary>
/// <param name="Offset">Where in the file it begins.</param>
/// <param name="Flags">Its flags word.</param>
internal readonly record struct MultibootHeader(ulong Offset, uint Flags)
{
    private const uint Magic = 0x1BAD_B002;
    private const uint Magic2 = 0xE852_50D6;
    private const ulong SearchedBytes = 8192;
    private const ulong ShortestBytes = 12;
    private const ulong AddressesEnd = 32;
    private const uint RequiredFlags = 0xFFFF;
    private const uint KnownFlags = 0x3;
    private const uint HasAddressesFlag = 1 << 16;

    /// <summary>Whether the header says where the image goes, whatever else the file is.</summary>
    internal bool HasAddresses => (Flags & HasAddressesFlag) != 0;

    /// <summary>Finds and checks the header.</summary>
    /// <exception cref="LoadException">There is none, or it asks for what is not offered.</exception>
    internal static MultibootHeader Find(BootFile file)
    {
        ulong? wrongSum = null;
        bool isMultiboot2 = false;
        ulong end = Math.Min(file.LengthBytes, SearchedBytes);
        for (ulong at = 0; at + ShortestBytes <= end; at += 4)
        {
            uint magic = file.U32(at, "the magic");
            isMultiboot2 |= magic == Magic2;
            if (magic != Magic)
            {
                continue;
            }

            uint flags = file.U32(at + 4, "flags");
            if (unchecked(magic + flags + file.U32(at + 8, "checksum")) == 0)
            {
                return new MultibootHeader(at, flags).Checked(file);
            }

            wrongSum ??= at;
        }

        if (wrongSum is { } offset)
        {
            throw file.Wrong(
                offset + 8,
                $"the Multiboot header's checksum 0x{file.U32(offset + 8, "checksum"):x8} does not make its sum 0",
                "the file is damaged, get it again");
        }

        string kind = isMultiboot2 ? " (it has a Multiboot 2 header)" : "";
        throw new LoadException(
            $"{file.Path}: no Multiboot header (0x1badb002) in the first {end} bytes{kind}; "
            + "give a Multiboot 1 kernel, or boot a Linux bzImage with --kernel");
    }

    private MultibootHeader Checked(BootFile file)
    {
        uint unknown = Flags & RequiredFlags & ~KnownFlags;
        if (unknown != 0)
        {
            string what = unknown == 4 ? "a video mode" : "something unknown";
            throw file.Wrong(
                Offset + 4, $"the Multiboot header's flags 0x{Flags:x8} require {what} (bits 0x{unknown:x})", "build the kernel without");
        }

        return !HasAddresses || Offset + AddressesEnd <= SearchedBytes
            ? this
            : throw file.Wrong(Offset, "the Multiboot header reaches beyond the first 8192 bytes", "link it nearer to the file's start");
    }
}
