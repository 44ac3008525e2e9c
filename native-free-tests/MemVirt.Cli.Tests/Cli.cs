using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Tests;

/// <summary>What a command line did.</summary>
internal sealed record CliOutcome(int ExitCode, string Output, string Error)
{
    /// <summary>Standard error's one line; fails where there are none or several, or a stack trace.</summary>
    public string OneErrorLine()
    {
        string line = Assert.Single(Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("memvirt: ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("internal error", line, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", line, StringComparison.Ordinal);
        return line;
    }

    /// <summary>Asserts a failure told in one line that contains every one of these.</summary>
    public void FailsWith(int exitCode, params string[] parts)
    {
        string line = OneErrorLine();
        Assert.Equal(exitCode, ExitCode);
        Assert.All(parts, part => Assert.Contains(part, line, StringComparison.Ordinal));
        Assert.Equal("", Output);
    }
}

/// <summary>Runs command lines inside the test's process.</summary>
internal static class Cli
{
    public static CliOutcome Run(params string[] args) => RunWith(null, args);

    /// <summary>Runs with an engine that returns these results instead of simulating.</summary>
    public static CliOutcome RunWith(IReadOnlyList<ComparisonResult>? results, params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        CommandContext context = results is null
            ? new CommandContext { Output = output, Error = error }
            : new CommandContext { Output = output, Error = error, Compare = (_, _, _, _) => results };
        int exitCode = CommandLineEntry.Run(args, context);
        return new CliOutcome(exitCode, output.ToString(), error.ToString());
    }
}
