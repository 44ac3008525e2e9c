using System.CommandLine;
using MemVirt.Cli.Output;
using MemVirt.Cli.Sweeps;
using MemVirt.Simulation.Sweeps;

namespace MemVirt.Cli.Commands;

/// <summary><c>memvirt merge</c>: joins the parts of a sweep into the files that one run would have written.</summary>
internal static class MergeCommand
{
    public static Command Create(CommandContext context)
    {
        var parts = new Argument<string[]>("PART")
        {
            Arity = ArgumentArity.OneOrMore,
            Description = "The files that `memvirt sweep --shard I/N --json FILE` wrote, in any order.",
        };
        var csv = new Option<string?>("--csv") { HelpName = "FILE", Description = "Write a line for each point and regime." };
        var json = new Option<string?>("--json")
        {
            HelpName = "FILE|-", Description = "Write the same as JSON to a file, or to standard output and nothing else there.",
        };
        var report = new Option<string?>("--report") { HelpName = "FILE", Description = "Write a page of curves, self-contained HTML." };
        var command = new Command("merge", "Join the parts of a sweep; what is missing is named.") { parts, csv, json, report };
        command.SetAction(parsed =>
        {
            string[] names = parsed.GetValue(parts)!;
            var outputs = new SweepOutputs(parsed.GetValue(csv), parsed.GetValue(json), parsed.GetValue(report), ShellText.CommandLine(parsed));
            outputs.Check(names);
            SweepResult joined = SweepMerge.Join([.. names.Select(name => (name, Read(name)))]);
            using SweepFiles files = SweepFiles.Create(outputs);
            files.Write(joined, context);
            return ExitCodes.Success;
        });
        return command;
    }

    private static SweepResult Read(string name)
    {
        try
        {
            using FileStream stream = File.OpenRead(name);
            return SweepResult.Read(stream, name);
        }
        catch (FileNotFoundException exception)
        {
            throw new SweepException($"{name}: there is no such file; give the parts that `memvirt sweep --shard` wrote", exception);
        }
    }
}
