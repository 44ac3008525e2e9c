using MemVirt.Cpu;
using MemVirt.Cpu.Loading;

namespace MemVirt.Cli.Guests;

/// <summary>A guest that a command line asks for, checked: a Linux or a Multiboot kernel, and what it runs on.</summary>
/// <param name="Linux">The Linux; null where it is a Multiboot image.</param>
/// <param name="Image">The Multiboot image; null where it is a Linux.</param>
/// <param name="MemoryBytes">RAM.</param>
/// <param name="Profile">The processor.</param>
internal sealed record GuestRequest(LinuxBootRequest? Linux, MultibootRequest? Image, ulong MemoryBytes, CpuProfile Profile)
{
    /// <summary>The file that it boots, by name.</summary>
    public string Name => Path.GetFileName(Linux?.KernelPath ?? Image!.ImagePath);

    /// <summary>Loads it.</summary>
    /// <exception cref="CommandException">It cannot be loaded.</exception>
    public void LoadInto(GuestMachine machine)
    {
        try
        {
            if (Linux is not null)
            {
                machine.Load(Linux);
            }
            else
            {
                machine.Load(Image!);
            }
        }
        catch (LoadException exception)
        {
            throw CommandException.Failure(exception.Message, exception);
        }
    }
}
