using System.Text;

namespace MemVirt.Cpu.Loading;

/// <summary>Where a Linux and what it is handed go in the guest's RAM; what does not fit is found before anything is written.</summary>
internal sealed class LinuxPlacement
{
    internal const ulong GlobalTable = 0x1000;
    internal const ulong Parameters = 0x2000;
    internal const ulong PageTables = 0x3000;
    internal const ulong StackEnd = 0xA000;
    internal const ulong CommandLine = 0x2_0000;

    // A kernel with five-level paging puts a trampoline right below 0x9F000 before it leaves what it was started on.
    private const ulong CommandLineLimit = 0x6_0000;
    private const ulong PageMask = 0xFFF;

    internal required ulong Kernel { get; init; }

    internal required byte[] CommandLineBytes { get; init; }

    internal ulong Initrd { get; private set; }

    internal BootFile? InitrdFile { get; private set; }

    /// <exception cref="LoadException">The command line is too long, or the memory too little.</exception>
    internal static LinuxPlacement Of(LinuxHeader header, LinuxBootRequest request, GuestMemoryMap map)
    {
        var placement = new LinuxPlacement
        {
            CommandLineBytes = CommandLineOf(header, request.CommandLine),
            Kernel = PlaceKernel(header, map),
        };
        if (request.InitrdPath is { } path)
        {
            placement.PlaceInitrd(header, path, map);
        }

        return placement;
    }

    private static byte[] CommandLineOf(LinuxHeader header, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text + "\0");
        ulong limit = Math.Min(header.LongestCommandLine, CommandLineLimit);
        if ((ulong)bytes.Length - 1 > limit)
        {
            throw new LoadException(
                $"{header.Path}: offset 0x238: the command line has {bytes.Length - 1} bytes and cmdline_size allows {limit}; shorten it");
        }

        return bytes.AsSpan(0, bytes.Length - 1).Contains((byte)0)
            ? throw new LoadException($"{header.Path}: the command line has a zero byte in it; take it out")
            : bytes;
    }

    /// <summary>The runtime start: a kernel loaded below its preferred address moves itself there, so it is loaded there at once.</summary>
    private static ulong PlaceKernel(LinuxHeader header, GuestMemoryMap map)
    {
        ulong wanted = header.PreferredAddress;
        if (header.IsRelocatable)
        {
            wanted = Math.Max(wanted, GuestMemoryMap.MiB);
            ulong mask = header.Alignment - 1;
            wanted = wanted <= GuestMemoryMap.HighStart ? (wanted + mask) & ~mask : wanted;
        }

        if (wanted < GuestMemoryMap.MiB || wanted >= GuestMemoryMap.HoleStart)
        {
            throw new LoadException(
                $"{header.Path}: offset 0x258: pref_address 0x{header.PreferredAddress:x} is no place for a kernel: RAM for it lies "
                + "from 1 MiB to 3 GiB; the file is damaged, get it again");
        }

        ulong end = wanted + header.InitBytes;
        return end <= map.LowEnd ? wanted : throw TooLittle(
            $"{header.Path}: offset 0x260: the kernel needs 0x{header.InitBytes:x} bytes (init_size) from 0x{wanted:x}", end, map);
    }

    private void PlaceInitrd(LinuxHeader header, string path, GuestMemoryMap map)
    {
        ulong limit = Math.Min(map.LowEnd, (header.LastInitrdAddress + 1) & ~PageMask);
        ulong kernelEnd = Kernel + header.InitBytes;
        ulong room = limit > kernelEnd ? limit - kernelEnd : 0;
        BootFile file = BootFile.Read(path, "the initial RAM disk", map.LowEnd, "give the guest more memory, or a smaller file");
        CpioArchive.Check(file);
        ulong start = (limit - Math.Min(limit, file.LengthBytes)) & ~PageMask;
        if (file.LengthBytes > room || start < kernelEnd)
        {
            string between = $"{path}: {file.LengthBytes} bytes of initial RAM disk do not fit behind the kernel, which ends at 0x{kernelEnd:x}";
            throw limit < map.LowEnd
                ? new LoadException($"{between}, and before 0x{limit:x}, the kernel's initrd_addr_max; give a smaller one")
                : TooLittle(between, kernelEnd + ((file.LengthBytes + PageMask) & ~PageMask), map);
        }

        (Initrd, InitrdFile) = (start, file);
    }

    private static LoadException TooLittle(string what, ulong neededEnd, GuestMemoryMap map)
    {
        ulong needed = (neededEnd + GuestMemoryMap.MiB - 1) / GuestMemoryMap.MiB;
        string remedy = neededEnd <= GuestMemoryMap.HoleStart
            ? $"give the guest at least {needed} MiB"
            : "that is more than the 3 GiB below the devices' addresses; give smaller files";
        return new LoadException($"{what}, and the guest's low memory ends at 0x{map.LowEnd:x}; {remedy}");
    }
}
