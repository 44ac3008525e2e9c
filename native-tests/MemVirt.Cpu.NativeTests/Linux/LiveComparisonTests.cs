using System.Text.Json;
using MemVirt.Cli;
using Xunit.Abstractions;

namespace MemVirt.Cpu.NativeTests.Linux;

/// <summary>One boot of Debian, priced under four regimes at once by <c>memvirt compare --kernel</c>.</summary>
public sealed class LiveComparisonTests(ITestOutputHelper output)
{
    [SkippableFact]
    public void A_boot_shows_what_shadow_paging_costs_and_nested_paging_does_not()
    {
        using var disk = new LinuxBootTests.BootDisk("for i in $(seq 1 200); do /bin/busybox true; done\npoweroff -f");
        string json = Path.Combine(Path.GetTempPath(), $"memvirt-{Guid.NewGuid():n}.json");
        string report = Path.ChangeExtension(json, ".html");
        try
        {
            using var text = new StringWriter();
            var context = new CommandContext { Output = text, Error = text };
            int exit = CommandLineEntry.Run(
                ["compare", "--kernel", disk.Kernel, "--initrd", disk.Initrd, "--append", "console=ttyS0 acpi=off noapic nolapic panic=-1 quiet", "--host-pages", "2m", "--json", json, "--report", report],
                context);
            output.WriteLine(text.ToString());
            Assert.True(exit == 0, text.ToString());
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(json));
            JsonElement[] regimes = [.. document.RootElement.GetProperty("regimes").EnumerateArray()];
            Dictionary<string, long> shadow = Exits(regimes[1]);
            Dictionary<string, long> ept = Exits(regimes[2]);

            // What happened is the same run under every regime; what of it is an exit differs.
            Assert.All(regimes, regime => Assert.Equal(Events(regimes[0], "guestPageFaults"), Events(regime, "guestPageFaults")));
            Assert.All(regimes, regime => Assert.Equal(regimes[0].GetProperty("references").GetInt64(), regime.GetProperty("references").GetInt64()));
            Assert.False(regimes[0].TryGetProperty("exitReasons", out _));
            foreach (string reason in (string[])["io", "hlt", "cpuid", "interrupt"])
            {
                Assert.True(shadow[reason] > 0 && shadow[reason] == ept[reason], $"{reason}: {shadow[reason]} and {ept[reason]}");
            }

            Assert.Equal((0, 0), (ept["pageFault"], ept["invlpg"]));
            Assert.Equal(0, shadow["secondStage"]);
            Assert.True(shadow["pageFault"] + shadow["controlRegister"] > shadow.Values.Sum() / 2, "page faults and CR access dominate");
            long ofShadow = shadow["pageFault"] + shadow["controlRegister"] + shadow["invlpg"];
            long ofEpt = ept["secondStage"] + ept["controlRegister"];
            Assert.True(ofShadow > 10 * ofEpt, $"{ofShadow} exits of paging under shadow paging, {ofEpt} under EPT");
            Assert.True(Events(regimes[1], "exits") == shadow.Values.Sum(), "every exit has a reason");
            Assert.True(Events(regimes[2], "exits") == ept.Values.Sum(), "every exit has a reason");
            Assert.True(Overhead(regimes[1]) > Overhead(regimes[2]), "shadow paging costs more");
            JsonElement details = document.RootElement.GetProperty("details").GetProperty("regimes")[1];
            Assert.Equal(Events(regimes[1], "exits"), details.GetProperty("slices").EnumerateArray().Sum(slice => slice.GetProperty("exits").GetInt64()));
            Assert.True(new FileInfo(report).Length is > 10_000 and < 500_000, "the page is there");
        }
        finally
        {
            File.Delete(json);
            File.Delete(report);
        }
    }

    private static long Events(JsonElement regime, string name) => regime.GetProperty("events").GetProperty(name).GetInt64();

    private static double Overhead(JsonElement regime) => regime.GetProperty("cycles").GetProperty("overheadVsNative").GetDouble();

    private static Dictionary<string, long> Exits(JsonElement regime)
        => regime.GetProperty("exitReasons").EnumerateObject().ToDictionary(reason => reason.Name, reason => reason.Value.GetInt64());
}
