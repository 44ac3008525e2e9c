using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace MemVirt.Cpu.NativeTests.Images;

/// <summary>QEMU's software processor (TCG): what most systems programmers test against, and itself not always right.</summary>
internal sealed class QemuImageRunner(TimeSpan limit) : IImageRunner
{
    private const string Program = "qemu-system-x86_64";

    /// <summary>Skips the test where QEMU is missing.</summary>
    internal static QemuImageRunner Open()
    {
        Skip.If(HostTools.Find(Program) is null, $"{Program} is not installed (Debian: qemu-system-x86)");
        return new QemuImageRunner(TimeSpan.FromMinutes(5));
    }

    private static readonly ConcurrentDictionary<(string, string, ulong, string), Lazy<ImageRun>> Runs = new();

    /// <summary>A run, made once for all tests that want it.</summary>
    public ImageRun Run(string imagePath, string append, ulong memoryBytes, string cpuProfile)
        => Runs.GetOrAdd(
            (imagePath, append, memoryBytes, cpuProfile),
            _ => new Lazy<ImageRun>(() => RunAfresh(imagePath, append, memoryBytes, cpuProfile))).Value;

    private ImageRun RunAfresh(string imagePath, string append, ulong memoryBytes, string cpuProfile)
    {
        using var process = Process.Start(new ProcessStartInfo(Program,
        [
            "-accel", "tcg", "-cpu", cpuProfile, "-m", string.Create(CultureInfo.InvariantCulture, $"{memoryBytes >> 20}M"),
            "-kernel", imagePath, "-append", append, "-nodefaults", "-no-reboot", "-serial", "stdio", "-display", "none",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
        ])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(limit))
        {
            process.Kill();
            process.WaitForExit();
            throw new TimeoutException($"{Path.GetFileName(imagePath)} '{append}' still ran after {limit}; it printed:\n{output.Result}");
        }

        // The exit device makes (value << 1) | 1 of the value; an even status is QEMU's own end.
        int status = process.ExitCode;
        uint? value = status > 1 && (status & 1) == 1 ? (uint)status >> 1 : null;
        return new ImageRun(output.Result.Replace("\r", "", StringComparison.Ordinal) + (value is null ? error.Result : ""), value);
    }
}
