using System.Text;
using MemVirt.Core.Memory;
using MemVirt.Cpu.Loading;

namespace MemVirt.Cpu.NativeTests.Loading;

/// <summary>The loader with a kernel that people run: its header is taken as it is, and QEMU boots from what the loader made.</summary>
public sealed class DebianKernelTests
{
    private const ulong GuestBytes = 512 << 20;
    private const string CommandLine = "console=ttyS0 earlyprintk=serial,ttyS0 acpi=off nokaslr panic=-1 memvirt=here";

    [SkippableFact]
    public void Debian_s_kernel_is_loaded_where_it_prefers()
    {
        string kernel = DebianKernel.Require();
        using var host = new SparseMemory(1UL << 32);
        BootState state = LinuxLoader.Load(new LinuxBootRequest(kernel, null, CommandLine), new SparseGuestMemory(host, GuestBytes));
        byte[] file = File.ReadAllBytes(kernel);
        int start = (file[0x1F1] + 1) * 512;
        int length = 16 * BitConverter.ToInt32(file, 0x1F4);
        Assert.Equal(0x100_0200ul, state.Rip);
        Assert.True(Dump(host, 0x100_0000, length).AsSpan().SequenceEqual(file.AsSpan(start, length)));
        Assert.Equal(file[0x22C..0x26C], Dump(host, 0x2000 + 0x22C, 0x40));

        // startup_64 begins with CLD and CLI.
        Assert.Equal([0xFC, 0xFA], Dump(host, state.Rip, 2));
    }

    [SkippableFact]
    public void A_kernel_cut_off_is_refused()
    {
        string kernel = DebianKernel.Require();
        DirectoryInfo folder = Directory.CreateTempSubdirectory("memvirt-kernel-");
        try
        {
            string cut = Path.Combine(folder.FullName, "vmlinuz");
            File.WriteAllBytes(cut, File.ReadAllBytes(kernel)[..5_000_000]);
            using var host = new SparseMemory(1UL << 32);
            string message = Assert.Throws<LoadException>(
                () => LinuxLoader.Load(new LinuxBootRequest(cut), new SparseGuestMemory(host, GuestBytes))).Message;
            Assert.Contains("the kernel is cut off", message, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [SkippableFact]
    public void QEMU_s_processor_boots_debian_s_kernel_from_the_state_and_memory_that_the_loader_made()
    {
        string kernel = DebianKernel.Require();
        Skip.IfNot(HostTool.Exists("qemu-system-x86_64"), "this host has no qemu-system-x86_64");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("memvirt-kernel-");
        try
        {
            string said = BootInQemu(kernel, folder.FullName);
            Assert.Contains("Linux version", said, StringComparison.Ordinal);
            Assert.Contains("Command line: " + CommandLine, said, StringComparison.Ordinal);
            Assert.Contains("[mem 0x0000000000100000-0x000000001fffffff] usable", said, StringComparison.Ordinal);
            Assert.Contains("RAMDISK: [mem 0x1ffff000-0x1fffffff]", said, StringComparison.Ordinal);
            Assert.Contains("Freeing initrd memory", said, StringComparison.Ordinal);
            Assert.DoesNotContain("Initramfs unpacking failed", said, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string BootInQemu(string kernel, string folder)
    {
        string initrd = Write(folder, "initrd", EmptyArchive());
        using var host = new SparseMemory(1UL << 32);
        BootState state = LinuxLoader.Load(new LinuxBootRequest(kernel, initrd, CommandLine), new SparseGuestMemory(host, GuestBytes));
        string low = Write(folder, "low", Dump(host, QemuStart.LowStart, (int)QemuStart.LowBytes));
        string image = Write(folder, "image", Dump(host, 0x100_0000, 32 << 20));
        string last = Write(folder, "last", Dump(host, GuestBytes - 4096, 4096));
        string start = Write(folder, "start", QemuStart.Kernel(state));

        // More memory than the guest is told of, as QEMU's firmware keeps its tables at the end of it.
        (_, string said) = HostTool.Run(
            folder, TimeSpan.FromMinutes(3), "qemu-system-x86_64", "-accel", "tcg", "-m", "640", "-display", "none", "-serial", "stdio",
            "-no-reboot", "-kernel", start,
            "-device", $"loader,file={low},addr=0x{QemuStart.LowCopy:x},force-raw=on",
            "-device", $"loader,file={image},addr=0x1000000,force-raw=on",
            "-device", $"loader,file={last},addr=0x{GuestBytes - 4096:x},force-raw=on");
        return said;
    }

    /// <summary>A cpio archive in the newc format with nothing in it.</summary>
    private static byte[] EmptyArchive()
    {
        string header = "070701" + string.Concat(Enumerable.Range(0, 13).Select(field => field == 11 ? "0000000B" : field == 4 ? "00000001" : "00000000"));
        byte[] entry = Encoding.ASCII.GetBytes(header + "TRAILER!!!\0");
        return [.. entry, .. new byte[512 - entry.Length]];
    }

    private static string Write(string folder, string name, byte[] bytes)
    {
        string path = Path.Combine(folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private static byte[] Dump(SparseMemory memory, ulong gpa, int lengthBytes)
    {
        var bytes = new byte[lengthBytes];
        for (int done = 0; done < lengthBytes;)
        {
            int piece = Math.Min(lengthBytes - done, 4096 - (int)((gpa + (ulong)done) & 0xFFF));
            memory.InFrame(gpa + (ulong)done, piece).CopyTo(bytes.AsSpan(done));
            done += piece;
        }

        return bytes;
    }
}
