using System.Text.Json;
using MemVirt.Cli.Consoles;

namespace MemVirt.Cli.Tests;

/// <summary>Guests, by the command line: a Multiboot image of some bytes.</summary>
public sealed class GuestTests
{
    [Theory]
    [InlineData("native")]
    [InlineData("shadow")]
    [InlineData("ept")]
    [InlineData("npt")]
    public void A_guest_writes_to_its_console_and_its_exit_code_is_the_command_s(string regime)
    {
        using var folder = new TemporaryFolder();
        string image = Image(folder, 0xB0, (byte)'h', 0xEE, 0xB0, (byte)'i', 0xEE, 0xB8, 21, 0, 0, 0, 0xE7, 0xF4, 0xF4);
        CliOutcome outcome = RealProcess.Shell($"$M run --image {image} --memory 16M --regime {regime} < /dev/null");
        Assert.Equal("hi", outcome.Output);
        Assert.Equal(43, outcome.ExitCode);
        Assert.Contains("exit code 43", outcome.Error, StringComparison.Ordinal);
        Assert.Contains($"regime {regime}", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_guest_did_is_written_as_json()
    {
        using var folder = new TemporaryFolder();
        string image = Image(folder, 0x0F, 0xA2, 0xF4);
        CliOutcome outcome = RealProcess.Shell($"$M run --image {image} --memory 16M --json - < /dev/null");
        Assert.Equal(0, outcome.ExitCode);
        using JsonDocument json = JsonDocument.Parse(outcome.Output);
        Assert.Equal("memvirt.run/1", json.RootElement.GetProperty("schema").GetString());
        Assert.Equal("Halted", json.RootElement.GetProperty("stop").GetString());
        Assert.Equal((1, 1), (json.RootElement.GetProperty("cpuids").GetInt64(), json.RootElement.GetProperty("halts").GetInt64()));
    }

    [Fact]
    public void A_triple_fault_is_told_with_where_it_was()
    {
        using var folder = new TemporaryFolder();
        CliOutcome outcome = RealProcess.Shell($"$M run --image {Image(folder, 0x0F, 0x0B)} --memory 16M --log unimplemented < /dev/null");
        Assert.Equal(ExitCodes.Failure, outcome.ExitCode);
        Assert.Contains("triple fault, the guest is shut down (RIP 0x10002", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("32-bit protected mode", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Instructions_that_are_not_there_are_listed()
    {
        using var folder = new TemporaryFolder();
        CliOutcome outcome = RealProcess.Shell($"$M run --image {Image(folder, 0xD9, 0xFE)} --memory 16M --log unimplemented < /dev/null");
        Assert.Contains("not implemented: Fsin, 1 times, first at RIP 0x10002", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void It_stops_at_the_instruction_that_was_asked_for()
    {
        using var folder = new TemporaryFolder();
        CliOutcome outcome = RealProcess.Shell($"$M run --image {Image(folder, 0xEB, 0xFE)} --memory 16M --max-instructions 12345 --json - < /dev/null");
        using JsonDocument json = JsonDocument.Parse(outcome.Output);
        Assert.InRange(json.RootElement.GetProperty("instructions").GetInt64(), 12345, 12345 + 64);
        Assert.Equal("Stopped", json.RootElement.GetProperty("stop").GetString());
    }

    [Fact]
    public void A_guest_of_pae_paging_is_walked_by_its_registers_and_shadowed()
    {
        using var folder = new TemporaryFolder();
        CliOutcome outcome = Cli.Run("compare", "--image", PaeGuest(folder, smap: false), "--memory", "16M", "--json", "-");
        using JsonDocument json = JsonDocument.Parse(outcome.Output);
        JsonElement[] regimes = [.. json.RootElement.GetProperty("regimes").EnumerateArray()];
        Assert.All(regimes, regime => Assert.Equal(0, regime.GetProperty("outrunWalks").GetInt64()));

        // The code's page and the data's, the first time for a read, then for a write: one entry each, as PDPTEs are registers.
        Assert.Equal((3, 3), (regimes[0].GetProperty("walks").GetInt64(), regimes[0].GetProperty("walkReferences").GetProperty("total").GetInt64()));
        Assert.True(regimes[2].GetProperty("walkReferences").GetProperty("secondStage").GetInt64() > 0);

        // Each of the two pages faults once, and that of the data once more for its first store; the shadow's walks, those that met a fault
        // among them, are as long as the guest's.
        JsonElement events = regimes[1].GetProperty("events");
        Assert.Equal((2, 1), (events.GetProperty("shadowFaults").GetInt64(), events.GetProperty("dirtyFaults").GetInt64()));
        Assert.Equal((5, 5), (regimes[1].GetProperty("walks").GetInt64(), regimes[1].GetProperty("walkReferences").GetProperty("total").GetInt64()));
        Assert.Equal(0, regimes[1].GetProperty("referencesNotShadowed").GetInt64());
        Assert.False(regimes[0].TryGetProperty("referencesNotShadowed", out _));
    }

    [Fact]
    public void What_a_guest_runs_under_paging_that_is_not_shadowed_is_told()
    {
        using var folder = new TemporaryFolder();
        string[] compare = ["compare", "--image", PaeGuest(folder, smap: true), "--memory", "16M", "--cpu", "paging"];
        using JsonDocument json = JsonDocument.Parse(Cli.Run([.. compare, "--json", "-"]).Output);
        Assert.InRange(json.RootElement.GetProperty("regimes")[1].GetProperty("referencesNotShadowed").GetInt64(), 5, 10);
        Assert.Contains("that shadow paging does not follow", Cli.Run(compare).Output.ReplaceLineEndings(" "), StringComparison.Ordinal);
    }

    /// <summary>An image that turns PAE paging on, with CR0.WP clear, and reads and writes 3 MiB.</summary>
    private static string PaeGuest(TemporaryFolder folder, bool smap)
        => Image(
            folder,
            0xC7, 0x05, 0, 0, 0x20, 0, 0x01, 0x10, 0x20, 0, // a PDPTE at 2 MiB
            0xC7, 0x05, 0, 0x10, 0x20, 0, 0x83, 0, 0, 0, // two pages of 2 MiB
            0xC7, 0x05, 8, 0x10, 0x20, 0, 0x83, 0, 0x20, 0,
            0xB8, 0, 0, 0x20, 0, 0x0F, 0x22, 0xD8, // CR3
            0xB8, 0x20, 0, (byte)(smap ? 0x20 : 0), 0, 0x0F, 0x22, 0xE0, // CR4.PAE, CR4.SMAP
            0x0F, 0x20, 0xC0, 0x0D, 0, 0, 0, 0x80, 0x0F, 0x22, 0xC0, // CR0.PG
            0xA1, 0, 0, 0x30, 0, 0xFF, 0x05, 0, 0, 0x30, 0, // mov eax, [3 MiB]; inc dword [3 MiB]
            0xB8, 1, 0, 0, 0, 0xE7, 0xF4);

    [Fact]
    public void Five_level_guests_are_refused_with_what_to_do()
    {
        using var folder = new TemporaryFolder();
        CliOutcome outcome = Cli.Run("compare", "--image", Image(folder, 0xF4), "--memory", "16M", "--cpu", "max");
        Assert.Equal(ExitCodes.Usage, outcome.ExitCode);
        Assert.Contains("--cpu max,-la57", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_guest_is_compared_and_every_exit_has_a_reason()
    {
        // 1000 times: CPUID, a store, a load.
        using var folder = new TemporaryFolder();
        string image = Image(
            folder, 0xBE, 0xE8, 3, 0, 0, 0x0F, 0xA2, 0xA3, 0, 0, 0x20, 0, 0xA1, 0, 0, 0x20, 0, 0x4E, 0x75, 0xF1, 0xB8, 1, 0, 0, 0, 0xE7, 0xF4);
        CliOutcome outcome = Cli.Run("compare", "--image", image, "--memory", "16M", "--json", "-");
        Assert.Equal("", outcome.Error);
        using JsonDocument json = JsonDocument.Parse(outcome.Output);
        JsonElement[] regimes = [.. json.RootElement.GetProperty("regimes").EnumerateArray()];
        Assert.Equal(4, regimes.Length);
        Assert.All(regimes[1..], regime => Assert.Equal(1000, regime.GetProperty("exitReasons").GetProperty("cpuid").GetInt64()));
        Assert.All(regimes[1..], regime => Assert.Equal(
            regime.GetProperty("events").GetProperty("exits").GetInt64(), regime.GetProperty("exitReasons").EnumerateObject().Sum(reason => reason.Value.GetInt64())));
        JsonElement input = json.RootElement.GetProperty("inputs")[0];
        Assert.Equal((1000, 1000), (input.GetProperty("loads").GetInt64(), input.GetProperty("stores").GetInt64()));
    }

    [Fact]
    public void The_user_s_own_keys_are_found_among_the_guest_s()
    {
        var parser = new EscapeParser();
        var forGuest = new byte[16];
        Assert.Equal("ab"u8.ToArray(), forGuest[..parser.Filter("ab"u8, forGuest)]);
        Assert.Equal([0x1D], forGuest[..parser.Filter([0x1D, 0x1D], forGuest)]);
        Assert.Equal([0x1D, (byte)'q'], forGuest[..parser.Filter([0x1D, (byte)'q'], forGuest)]);
        Assert.False(parser.LeaveRequested);
        Assert.Equal([(byte)'c'], forGuest[..parser.Filter([(byte)'c', 0x1D, (byte)'x', (byte)'d'], forGuest)]);
        Assert.True(parser.LeaveRequested);
    }

    /// <summary>An image whose code follows its header and begins with DX at COM1 (Multiboot 0.6.96 §3.1, address fields).</summary>
    private static string Image(TemporaryFolder folder, params byte[] code)
    {
        const uint Magic = 0x1BADB002;
        const uint HasAddresses = 1 << 16;
        const uint Start = 0x10_0000;
        uint[] header = [Magic, HasAddresses, unchecked(0 - Magic - HasAddresses), Start, Start, 0, 0, Start + 32];
        byte[] prologue = [0x66, 0xBA, 0xF8, 0x03];
        string path = folder.File("guest.img");
        File.WriteAllBytes(path, [.. header.SelectMany(BitConverter.GetBytes), .. prologue, .. code, .. new byte[64]]);
        return path;
    }
}
