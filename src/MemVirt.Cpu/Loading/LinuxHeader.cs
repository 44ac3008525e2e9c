namespace MemVirt.Cpu.Loading;

/// <summary>
/// A bzImage's setup header, checked (Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"): what lies in it about the
/// file is found here; what does not fit the guest's memory, in <see cref="LinuxPlacement"/>.
/// </summary>
internal sealed class LinuxHeader
{
    internal const ulong Start = 0x1F1;

    private const ulong BootFlagOffset = 0x1FE;
    private const ulong LengthOffset = 0x201;
    private const ulong MagicOffset = 0x202;
    private const ulong VersionOffset = 0x206;
    private const ulong LoadFlagsOffset = 0x211;
    private const ulong AlignmentOffset = 0x230;
    private const ulong ExtendedFlagsOffset = 0x236;
    private const ulong PayloadOffset = 0x248;
    private const ulong InitSizeOffset = 0x260;
    private const ulong ShortestEnd = 0x268;
    private const ulong LongestEnd = 0x290;
    private const ulong SectorBytes = 512;
    private const uint Magic = 0x5372_6448;
    private const uint Protocol212 = 0x020C;
    private const string GiveBzImage = "give a bzImage, such as /boot/vmlinuz-6.1.0-50-cloud-amd64";
    private const string GetAgain = "the file is damaged, get it again";

    private readonly BootFile _file;

    private LinuxHeader(BootFile file) => _file = file;

    internal required ulong End { get; init; }

    internal required ulong KernelOffset { get; init; }

    internal required ulong KernelBytes { get; init; }

    internal required ulong PreferredAddress { get; init; }

    internal required ulong Alignment { get; init; }

    internal required bool IsRelocatable { get; init; }

    /// <summary>The memory the kernel needs from its runtime start, until it has read the memory map.</summary>
    internal required ulong InitBytes { get; init; }

    internal required ulong LastInitrdAddress { get; init; }

    internal required ulong LongestCommandLine { get; init; }

    internal string Path => _file.Path;

    internal ReadOnlySpan<byte> Setup => _file.Slice(Start, End - Start, "the setup header");

    internal ReadOnlySpan<byte> Kernel => _file.Slice(KernelOffset, KernelBytes, "the protected-mode kernel");

    /// <summary>Reads and checks a header.</summary>
    /// <exception cref="LoadException">The file is no kernel that can be booted, or its header lies.</exception>
    internal static LinuxHeader Read(BootFile file)
    {
        CheckIdentity(file);
        ulong end = HeaderEnd(file);
        ulong sectors = file.U8(Start, "setup_sects");
        ulong kernelOffset = ((sectors == 0 ? 4 : sectors) + 1) * SectorBytes;
        ulong kernelBytes = 16UL * file.U32(0x1F4, "syssize");
        CheckKernel(file, kernelOffset, kernelBytes);
        ulong initBytes = file.U32(InitSizeOffset, "init_size");
        if (initBytes < kernelBytes)
        {
            throw file.Wrong(
                InitSizeOffset, $"init_size 0x{initBytes:x} is less than the kernel's own 0x{kernelBytes:x} bytes", GetAgain);
        }

        return new LinuxHeader(file)
        {
            End = end,
            KernelOffset = kernelOffset,
            KernelBytes = kernelBytes,
            PreferredAddress = file.U64(0x258, "pref_address"),
            Alignment = ReadAlignment(file),
            IsRelocatable = file.U8(0x234, "relocatable_kernel") != 0,
            InitBytes = initBytes,
            LastInitrdAddress = file.U32(0x22C, "initrd_addr_max"),
            LongestCommandLine = file.U32(0x238, "cmdline_size"),
        };
    }

    private static void CheckIdentity(BootFile file)
    {
        if (!file.Holds(Start, ShortestEnd - Start))
        {
            throw file.Wrong(Start, $"no setup header: the file has {file.LengthBytes} bytes", GiveBzImage);
        }

        uint magic = file.U32(MagicOffset, "header");
        if (magic != Magic)
        {
            bool isElf = file.Bytes.StartsWith("\u007fELF"u8);
            throw file.Wrong(
                MagicOffset,
                $"not a Linux bzImage: 0x{magic:x8} where \"HdrS\" should be" + (isElf ? " (the file is an ELF file)" : ""),
                isElf ? "give the bzImage that was built with it, or boot a Multiboot kernel with --image" : GiveBzImage);
        }

        ushort bootFlag = file.U16(BootFlagOffset, "boot_flag");
        if (bootFlag != 0xAA55)
        {
            throw file.Wrong(BootFlagOffset, $"boot_flag is 0x{bootFlag:x4} and not 0xaa55", GetAgain);
        }

        uint version = file.U16(VersionOffset, "version");
        if (version < Protocol212)
        {
            throw file.Wrong(
                VersionOffset, $"boot protocol {version >> 8}.{version & 0xFF:00} has no 64-bit entry", "give a kernel of Linux 3.8 or later");
        }

        byte loadFlags = file.U8(LoadFlagsOffset, "loadflags");
        if ((loadFlags & 1) == 0)
        {
            throw file.Wrong(LoadFlagsOffset, $"loadflags 0x{loadFlags:x2} lack LOADED_HIGH: an old zImage", GiveBzImage);
        }

        ushort extendedFlags = file.U16(ExtendedFlagsOffset, "xloadflags");
        if ((extendedFlags & 1) == 0)
        {
            throw file.Wrong(
                ExtendedFlagsOffset, $"xloadflags 0x{extendedFlags:x4} lack XLF_KERNEL_64: a 32-bit kernel", "give an x86-64 (amd64) kernel");
        }
    }

    private static ulong HeaderEnd(BootFile file)
    {
        ulong end = MagicOffset + file.U8(LengthOffset, "the header's length");
        if (end is < ShortestEnd or > LongestEnd)
        {
            throw file.Wrong(
                LengthOffset, $"the setup header ends at 0x{end:x}, and must between 0x{ShortestEnd:x} and 0x{LongestEnd:x}", GetAgain);
        }

        _ = file.Slice(Start, end - Start, "the setup header");
        return end;
    }

    private static void CheckKernel(BootFile file, ulong offset, ulong lengthBytes)
    {
        const ulong EntryOffset = 0x200;
        if (lengthBytes <= EntryOffset)
        {
            throw file.Wrong(0x1F4, $"syssize says {lengthBytes} bytes of kernel, which end before its 64-bit entry", GetAgain);
        }

        if (!file.Holds(offset, lengthBytes))
        {
            throw file.Wrong(
                offset,
                $"the kernel is cut off: setup_sects and syssize say 0x{lengthBytes:x} bytes from here, the file ends at 0x{file.LengthBytes:x}",
                "get the file again");
        }

        ulong payload = file.U32(PayloadOffset, "payload_offset");
        ulong payloadBytes = file.U32(PayloadOffset + 4, "payload_length");
        if (payload + payloadBytes > lengthBytes)
        {
            throw file.Wrong(
                PayloadOffset, $"the payload (0x{payloadBytes:x} bytes at 0x{payload:x}) ends after the kernel's 0x{lengthBytes:x} bytes", GetAgain);
        }
    }

    private static ulong ReadAlignment(BootFile file)
    {
        ulong alignment = file.U32(AlignmentOffset, "kernel_alignment");
        return alignment >= 4096 && ulong.IsPow2(alignment)
            ? alignment
            : throw file.Wrong(AlignmentOffset, $"kernel_alignment 0x{alignment:x} is not a power of two of at least 4 KiB", GetAgain);
    }
}
