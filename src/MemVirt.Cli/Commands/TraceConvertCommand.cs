using System.CommandLine;
using MemVirt.Cli.Output;
using MemVirt.Cli.Rendering;
using MemVirt.Cli.TraceAccess;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.Commands;

/// <summary><c>memvirt trace convert</c>: a trace into another format, streaming.</summary>
internal static class TraceConvertCommand
{
    private const int HighestLevel = 22;

    public static Command Create(CommandContext context)
    {
        var input = new Argument<string>("IN") { Description = "The trace to read; - for standard input." };
        var output = new Argument<string>("OUT") { Description = "OUT.mvt, or OUT.lackey or OUT.txt for lackey's text." };
        var level = new Option<string?>("--level") { HelpName = "N", Description = "Compression of a .mvt, 1 (fast) to 22 (small)." };
        var refs = new Option<string?>("--refs") { HelpName = "N", Description = "Take only the first N references." };
        var noProgress = new Option<bool>("--no-progress") { Description = "No progress bar (there is one only on a terminal)." };
        var command = new Command("convert", "Convert a trace to MemVirt's binary format, or to lackey's text.")
        {
            input, output, level, refs, noProgress,
        };
        command.SetAction(parsed => Run(
            parsed.GetRequiredValue(input),
            parsed.GetRequiredValue(output),
            (int?)Level(parsed.GetValue(level)),
            OptionText.Count("--refs", parsed.GetValue(refs), minimum: 1),
            !parsed.GetValue(noProgress),
            context));
        return command;
    }

    private static long? Level(string? text)
        => OptionText.Count("--level", text, minimum: 1) is long level
            ? level <= HighestLevel ? level : throw CommandException.Usage($"--level {text}: write 1 (fast) to {HighestLevel} (small)")
            : null;

    private static int Run(string input, string output, int? level, long? limit, bool showProgress, CommandContext context)
    {
        ReferenceSink.CheckName(output);
        if (input != "-" && SameFile.Is(input, output))
        {
            throw CommandException.Usage($"IN and OUT are the same file, {input}; give OUT another name");
        }

        using ITraceReader reader = TraceOpening.Open(input);
        using AtomicFile file = AtomicFile.Create(output);
        using ReferenceSink sink = ReferenceSink.Create(output, file.Stream, level);
        long references = ProgressDisplay.While(showProgress, "converting", context, () =>
        {
            long count = TraceCopy.Run(reader, limit, sink.Append, context);
            sink.Complete();
            return count;
        });
        long bytes = file.Commit();
        context.Output.WriteLine(NumberText.Line(
            $"{output}: {references:N0} references, {bytes:N0} bytes ({NumberText.Ratio(8.0 * bytes, references)} bits a reference)"));
        return ExitCodes.Success;
    }
}
