namespace MemVirt.Cpu.NativeTests.Images;

/// <summary>What an image printed on COM1 and the value it wrote to port 0xF4.</summary>
/// <param name="Output">Everything printed, with line feeds only.</param>
/// <param name="ExitValue">What was written to port 0xF4; null where the machine stopped in another way.</param>
internal sealed record ImageRun(string Output, uint? ExitValue)
{
    internal const uint Right = 0x10;
    internal const uint Wrong = 0x11;

    /// <summary>What two machines must agree on: after <c> | </c> stands what is a machine's own.</summary>
    internal string[] Comparable() =>
        [.. Output.Split('\n')
            .Select(line => line.StartsWith('|') ? "" : line.Split(" | ")[0].TrimEnd())
            .Where(line => line.Length > 0)];

    /// <summary>The number that stands after a word on the line that begins with another one.</summary>
    internal long Number(string line, string word)
    {
        string[] words = Output.Split('\n').First(candidate => candidate.StartsWith(line + " ", StringComparison.Ordinal)).Split(' ');
        return long.Parse(words[Array.IndexOf(words, word) + 1], System.Globalization.CultureInfo.InvariantCulture);
    }
}

/// <summary>A machine that can start a multiboot image: QEMU, or MemVirt's own processor.</summary>
internal interface IImageRunner
{
    /// <summary>Runs an image to its end.</summary>
    /// <param name="imagePath">A multiboot-1 ELF32 file.</param>
    /// <param name="append">Command line; whether the file's name stands before it makes no difference to the images.</param>
    /// <param name="memoryBytes">RAM from address 0, at least 32 MiB.</param>
    /// <param name="cpuProfile">As QEMU's <c>-cpu</c>: <c>max</c>, <c>qemu64</c>, <c>qemu64,+smep</c>.</param>
    ImageRun Run(string imagePath, string append, ulong memoryBytes, string cpuProfile);
}
