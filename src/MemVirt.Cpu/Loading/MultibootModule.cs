namespace MemVirt.Cpu.Loading;

/// <summary>A file handed to a Multiboot kernel.</summary>
/// <param name="File">Its content.</param>
/// <param name="Text">What the kernel is told with it: the path and what follows.</param>
/// <param name="Gpa">Where it goes, a multiple of 4 KiB.</param>
internal sealed record MultibootModule(BootFile File, string Text, ulong Gpa)
{
    private const ulong PageMask = 0xFFF;

    internal ulong End => Gpa + File.LengthBytes;

    /// <summary>Reads the modules and places them one behind the other after the kernel.</summary>
    /// <exception cref="LoadException">One cannot be read, or does not fit.</exception>
    internal static List<MultibootModule> ReadAll(IReadOnlyList<string> texts, ulong kernelEnd, GuestMemoryMap map)
    {
        var modules = new List<MultibootModule>();
        ulong next = Math.Max(kernelEnd, GuestMemoryMap.MiB);
        foreach (string text in texts)
        {
            next = (next + PageMask) & ~PageMask;
            BootFile file = BootFile.Read(PathOf(text), "the module", map.LowEnd, "give the guest more memory, or a smaller file");
            var module = new MultibootModule(file, text, next);
            next = module.End;
            if (next > map.LowEnd)
            {
                ulong needed = (next + GuestMemoryMap.MiB - 1) / GuestMemoryMap.MiB;
                throw new LoadException(
                    $"{file.Path}: the module's {file.LengthBytes} bytes go to 0x{module.Gpa:x}, and the guest's low memory ends at "
                    + $"0x{map.LowEnd:x}; " + (next <= GuestMemoryMap.HoleStart ? $"give the guest at least {needed} MiB" : "give smaller files"));
            }

            modules.Add(module);
        }

        return modules;
    }

    /// <summary>All of it where that is a file's name, else what comes before the first space.</summary>
    private static string PathOf(string text)
    {
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        return space < 0 || System.IO.File.Exists(text) ? text : text[..space];
    }
}
