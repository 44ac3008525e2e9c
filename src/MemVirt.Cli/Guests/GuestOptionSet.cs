using System.CommandLine;
using System.Globalization;
using MemVirt.Cpu;
using MemVirt.Cpu.Loading;

namespace MemVirt.Cli.Guests;

/// <summary>The options that name a guest, of <c>memvirt run</c> and of <c>memvirt compare</c>.</summary>
internal sealed class GuestOptionSet
{
    private const ulong DefaultMemory = 512UL << 20;
    private readonly Option<string?> _kernel = Text("--kernel", "FILE", "A Linux kernel (bzImage) to boot.");
    private readonly Option<string?> _initrd = Text("--initrd", "FILE", "Its initial RAM disk.");
    private readonly Option<string?> _image = Text("--image", "FILE", "A Multiboot 1 image (ELF32) to boot.");
    private readonly Option<string?> _append = Text("--append", "TEXT", "The kernel's command line.");
    private readonly Option<string?> _memory = Text("--memory", "SIZE", "The guest's RAM: a number with K, M or G (default: 512M).");
    private readonly Option<string?> _cpu = Text("--cpu", "PROFILE", "The guest's processor: qemu64, paging or max, then +feature or -feature (default: qemu64).");

    private readonly Option<string[]> _modules = new("--module")
    {
        HelpName = "FILE", Description = "A file for the image to find in memory; may stand there several times.", Arity = ArgumentArity.ZeroOrMore,
    };

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_kernel, _initrd, _image, _modules, _append, _memory, _cpu])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>What they ask for; null where they name no guest.</summary>
    /// <exception cref="CommandException">They contradict each other, or a value is wrong.</exception>
    public GuestRequest? Read(ParseResult parsed)
    {
        string? kernel = parsed.GetValue(_kernel);
        string? image = parsed.GetValue(_image);
        string? initrd = parsed.GetValue(_initrd);
        string[] modules = parsed.GetValue(_modules) ?? [];
        if (kernel is not null && image is not null)
        {
            throw CommandException.Usage("--kernel and --image exclude each other; give one of them");
        }

        if (kernel is null && image is null)
        {
            RequireAbsent(parsed);
            return null;
        }

        if (initrd is not null && kernel is null)
        {
            throw CommandException.Usage("--initrd goes with --kernel; hand files to an image with --module");
        }

        if (modules.Length > 0 && image is null)
        {
            throw CommandException.Usage("--module goes with --image; hand a kernel its files with --initrd");
        }

        string append = parsed.GetValue(_append) ?? (kernel is not null ? "console=ttyS0" : "");
        if (CpuProfile.TryParse(parsed.GetValue(_cpu) ?? CpuProfile.Qemu64.Name, out CpuProfile profile) is { } wrong)
        {
            throw CommandException.Usage($"--cpu: {wrong}");
        }

        return new GuestRequest(
            kernel is null ? null : new LinuxBootRequest(kernel, initrd, append), image is null ? null : new MultibootRequest(image, modules, append),
            Memory(parsed.GetValue(_memory)), profile);
    }

    private void RequireAbsent(ParseResult parsed)
    {
        foreach (Option option in (Option[])[_initrd, _modules, _append, _memory, _cpu])
        {
            if (parsed.GetResult(option) is { Implicit: false })
            {
                throw CommandException.Usage($"{option.Name} is for a guest; name one with --kernel or --image");
            }
        }
    }

    private static ulong Memory(string? text)
    {
        if (text is null)
        {
            return DefaultMemory;
        }

        int shift = text.Length == 0 ? 0 : char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, _ => 0 };
        string digits = shift == 0 ? text : text[..^1];
        bool isNumber = ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) && number <= ulong.MaxValue >> shift;
        ulong bytes = isNumber ? number << shift : 0;
        if (!isNumber || bytes < GuestMemoryMap.MinimumBytes || bytes > GuestMemoryMap.MaximumBytes || bytes % 4096 != 0)
        {
            throw CommandException.Usage($"--memory {text}: write a number with K, M or G, from 2M to 1024G and a multiple of 4K");
        }

        return bytes;
    }

    private static Option<string?> Text(string name, string helpName, string description)
        => new(name) { HelpName = helpName, Description = description };
}
