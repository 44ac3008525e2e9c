using System.Text.Json;
using MemVirt.Cli.Tests;

namespace MemVirt.Native.Tests;

/// <summary><c>memvirt verify kvm</c>: its exit codes and what it writes.</summary>
public sealed class VerifyKvmCommandTests
{
    [SkippableFact]
    public void A_device_that_is_not_there_is_told_in_one_line_with_exit_code_3()
    {
        RequireLinux();
        Cli.Tests.Cli.Run("verify", "kvm", "--device", "/dev/no-such-device")
            .FailsWith(3, "/dev/no-such-device cannot be opened", "No such file", "load the module");
    }

    [SkippableFact]
    public void A_device_that_is_no_kvm_is_told_in_one_line_with_exit_code_3()
    {
        RequireLinux();
        Cli.Tests.Cli.Run("verify", "kvm", "--device", "/dev/null").FailsWith(3, "/dev/null is no KVM device", "--device");
    }

    [Theory]
    [InlineData("--seed", "x")]
    [InlineData("--probes", "0")]
    public void A_number_that_is_none_is_a_usage_error(string option, string value)
        => Cli.Tests.Cli.Run("verify", "kvm", option, value).FailsWith(2, option);

    [SkippableFact]
    public void Agreement_is_told_with_masks_and_counts_and_exit_code_0()
    {
        HostKvm.Open().Dispose();
        CliOutcome outcome = Cli.Tests.Cli.Run("verify", "kvm", "--probes", "500", "--seed", "3");
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Error));
        Assert.Contains("500 probes, seed 3:", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("0 deviate", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("self-test", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("engine and host agree in 500 probes", outcome.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(outcome.Output.Split('\n'), line => line.EndsWith(' '));
    }

    [SkippableFact]
    public void Json_is_all_that_stands_on_standard_output()
    {
        HostKvm.Open().Dispose();
        CliOutcome outcome = Cli.Tests.Cli.Run("verify", "kvm", "--probes", "300", "--json");
        using JsonDocument json = JsonDocument.Parse(outcome.Output);
        JsonElement root = json.RootElement;
        Assert.Equal("memvirt.verify-kvm/1", root.GetProperty("schema").GetString());
        Assert.Equal(300, root.GetProperty("probes").GetProperty("compared").GetInt64());
        Assert.True(root.GetProperty("agrees").GetBoolean());
        Assert.Equal(0, outcome.ExitCode);
    }

    [SkippableFact]
    public void Ctrl_C_ends_it_at_once()
    {
        HostKvm.Open().Dispose();
        CliOutcome outcome = RealProcess.Interrupted(
            ["verify", "kvm", "--probes", "1_000_000_000"], feed: "", after: TimeSpan.FromSeconds(3));
        Assert.Equal((130, ""), (outcome.ExitCode, outcome.Output));
        Assert.Matches("stopped after [0-9,]+ probes", outcome.OneErrorLine());
    }

    private static void RequireLinux() => Skip.IfNot(OperatingSystem.IsLinux(), "needs Linux");
}
