using System.CommandLine;
using System.CommandLine.Parsing;

namespace MemVirt.Cli.Commands;

/// <summary>The commands there are.</summary>
internal static class CommandTree
{
    public static RootCommand Create(CommandContext context)
    {
        var trace = new Command("trace", "Look at traces, or convert them.")
        {
            TraceInfoCommand.Create(context),
            TraceConvertCommand.Create(context),
        };
        var verify = new Command("verify", "Hold the engine against something real.")
        {
            VerifyKvmCommand.Create(context),
        };
        return new RootCommand("What does virtualizing memory cost a workload? Native, shadow paging, EPT and NPT on memory traces.")
        {
            CompareCommand.Create(context),
            LintCommand.Create(context),
            MachinesCommand.Create(context),
            MergeCommand.Create(context),
            RecordCommand.Create(context),
            RunCommand.Create(context),
            SweepCommand.Create(context),
            trace,
            verify,
            WalkCommand.Create(context),
        };
    }

    /// <summary>A command with the ones above it, as a user types it.</summary>
    public static string PathOf(CommandResult result)
        => result.Parent is CommandResult parent ? $"{PathOf(parent)} {result.Command.Name}" : "memvirt";
}
