using System.Text;
using MemVirt.Cpu.Loading;
using MemVirt.Cpu.NativeTests.Loading;
using MemVirt.Cpu.Spaces;
using Xunit.Abstractions;

namespace MemVirt.Cpu.NativeTests.Linux;

/// <summary>Debian's kernel, unmodified, with busybox as its user space.</summary>
public sealed class LinuxBootTests(ITestOutputHelper output)
{
    private const string CommandLine = "console=ttyS0 acpi=off noapic nolapic panic=-1";
    private const ulong MostNanoseconds = 120_000_000_000;

    [SkippableFact]
    public void Debian_boots_to_user_space_under_every_regime_with_the_same_output()
    {
        const string Script = """
            echo hello from user space
            uname -m
            seq 1 20000 | awk '{s += $1 * 1.5} END {print s}'
            dd if=/dev/zero bs=4096 count=1000 2>/dev/null | sha256sum
            poweroff -f
            """;
        using var disk = new BootDisk(Script);
        (string native, GuestSummary summary) = Boot(GuestRegime.Native, disk, CommandLine);
        Says(native, "hello from user space", "x86_64", "300015000", "830497acdc4cbdebb0fc5a05f65cb02a183648329f3067ac2ed27fbcb0ea3419");
        foreach (GuestRegime regime in (GuestRegime[])[GuestRegime.Ept, GuestRegime.Npt, GuestRegime.Shadow])
        {
            (string other, GuestSummary counts) = Boot(regime, disk, CommandLine);
            Assert.Equal(native, other);

            // The same run to the last instruction, not only the same output.
            Assert.Equal(summary.Instructions, counts.Instructions);
            Assert.Equal(summary.PageFaults, counts.PageFaults);
        }
    }

    [SkippableFact]
    public void A_script_of_thousands_of_processes_comes_to_the_right_result()
    {
        const string Script = """
            i=0; n=0
            while [ $i -lt 1000 ]; do n=$((n + $(echo $i | wc -c))); i=$((i + 1)); done
            echo pipes $n
            i=0
            while [ $i -lt 40 ]; do (sleep 0; echo $i) & i=$((i + 1)); done > /tmp/jobs
            wait
            echo jobs $(sort -n /tmp/jobs | sha256sum)
            for i in $(seq 1 300); do /bin/busybox true || echo broken; done
            seq 1 30000 > /tmp/numbers; sort -r /tmp/numbers | sort -n | cmp - /tmp/numbers && echo sorted
            gzip -c /tmp/numbers | gunzip -c | sha256sum
            grep processes /proc/stat
            poweroff -f
            """;
        using var disk = new BootDisk(Script);
        (string said, _) = Boot(GuestRegime.Native, disk, CommandLine + " quiet");

        // wc -c of "0\n" to "999\n": 10 of 2, 90 of 3, 900 of 4.
        Assert.Contains($"pipes {(10 * 2) + (90 * 3) + (900 * 4)}\n", said);
        Assert.Contains("jobs " + Sha256(string.Concat(Enumerable.Range(0, 40).Select(i => $"{i}\n"))), said);
        Assert.Contains("sorted\n", said);
        Assert.Contains(Sha256(string.Concat(Enumerable.Range(1, 30000).Select(i => $"{i}\n"))), said);
        Assert.DoesNotContain("broken", said);
        string processes = said.Split('\n').First(line => line.StartsWith("processes ", StringComparison.Ordinal));
        Assert.True(int.Parse(processes.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture) > 2000, processes);
    }

    [SkippableFact]
    public void With_a_local_apic_and_every_paging_feature_but_five_levels_it_boots_too()
    {
        using var disk = new BootDisk("grep -o -w -E 'pcid|smep|smap|pku|invpcid|x2apic' /proc/cpuinfo | sort -u\necho here\npoweroff -f");
        (string said, _) = Boot(GuestRegime.Native, disk, "console=ttyS0 acpi=off noapic panic=-1 quiet", CpuProfile.Paging);
        Says(said, "invpcid", "pcid", "pku", "smap", "smep", "x2apic", "here");
    }

    private (string Output, GuestSummary Summary) Boot(GuestRegime regime, BootDisk disk, string commandLine, CpuProfile? profile = null)
    {
        var console = new StringBuilder();
        using var machine = new GuestMachine(new GuestOptions
        {
            Regime = regime, Profile = profile ?? CpuProfile.Qemu64, Output = value => console.Append((char)value),
        });
        var unimplemented = new SortedSet<string>();
        machine.UnimplementedMet = (rip, code) => unimplemented.Add($"{code} at 0x{rip:x}");
        machine.Load(new LinuxBootRequest(disk.Kernel, disk.Initrd, commandLine));
        long started = System.Diagnostics.Stopwatch.GetTimestamp();
        GuestStop stop = machine.Run(MostNanoseconds);
        string said = console.ToString().Replace("\r", "", StringComparison.Ordinal);
        GuestSummary summary = machine.Summary();
        double seconds = System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalSeconds;
        output.WriteLine(FormattableString.Invariant($"{regime}: {summary.Instructions:N0} instructions in {seconds:0.0} s"));
        Assert.True(stop == GuestStop.Halted, $"{stop} at {machine.Where}; {string.Join(", ", unimplemented)}; it said\n{said}");
        Assert.Empty(unimplemented);
        return (said, summary);
    }

    /// <summary>The console has these lines; the kernel's own may stand between them.</summary>
    private static void Says(string said, params string[] lines)
    {
        string[] all = said.Split('\n');
        foreach (string line in lines)
        {
            Assert.True(all.Any(one => one.EndsWith(line, StringComparison.Ordinal) || one.StartsWith(line, StringComparison.Ordinal)), $"no line '{line}' in\n{said}");
        }
    }

    private static string Sha256(string text) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.ASCII.GetBytes(text)));

    /// <summary>The kernel, and an initial RAM disk that is deleted afterwards.</summary>
    internal sealed class BootDisk : IDisposable
    {
        public BootDisk(string script)
        {
            Kernel = DebianKernel.Require();
            Initramfs.Write(Initrd, DebianKernel.RequireBusybox(), script);
        }

        public string Kernel { get; }

        public string Initrd { get; } = Path.Combine(Path.GetTempPath(), $"memvirt-{Guid.NewGuid():n}.cpio");

        public void Dispose() => File.Delete(Initrd);
    }
}
