using System.CommandLine;
using MemVirt.Cli.Output;
using MemVirt.Cli.Recording;
using MemVirt.Cli.Rendering;
using MemVirt.Cli.TraceAccess;

namespace MemVirt.Cli.Commands;

/// <summary><c>memvirt record</c>: a trace of a program's memory references.</summary>
internal static class RecordCommand
{
    public static Command Create(CommandContext context)
    {
        var output = new Option<string>("--output", "-o")
        {
            Required = true,
            HelpName = "FILE.mvt",
            Description = "Where the trace goes.",
        };
        var refs = new Option<string?>("--refs") { HelpName = "N", Description = "Stop the program after N references." };
        var skip = new Option<string?>("--skip") { HelpName = "N", Description = "Leave out the first N references." };
        var program = new Argument<string[]>("COMMAND")
        {
            Arity = ArgumentArity.OneOrMore,
            CaptureRemainingTokens = true,
            Description = "The program and its arguments, best after --. Its own input and output stay as they are.",
        };
        var command = new Command(
            "record",
            "Record the memory references of a program under valgrind (which must be installed). Processes it starts, or becomes by exec, are not followed.")
        {
            output, skip, refs, program,
        };
        command.SetAction(parsed => Run(
            parsed.GetRequiredValue(output),
            new RecordingWindow(
                OptionText.Count("--skip", parsed.GetValue(skip), minimum: 0) ?? 0,
                OptionText.Count("--refs", parsed.GetValue(refs), minimum: 1)),
            parsed.GetRequiredValue(program),
            context));
        return command;
    }

    private static int Run(string output, RecordingWindow window, string[] program, CommandContext context)
    {
        if (!string.Equals(Path.GetExtension(output), ".mvt", StringComparison.OrdinalIgnoreCase))
        {
            throw CommandException.Usage($"-o {output}: a recording is a .mvt file; write {output}.mvt");
        }

        string valgrind = Executables.FindValgrind();
        Executables.RequireProgram(program[0]);
        using AtomicFile file = AtomicFile.Create(output);
        using ReferenceSink sink = ReferenceSink.Create(output, file.Stream, level: null);
        RecordingOutcome recording = ValgrindRecorder.Record(valgrind, program, window, sink, context);
        if (recording.References == 0)
        {
            throw CommandException.Failure(
                $"{program[0]} made no reference {(window.Skip > 0 ? "after those left out " : "")}under valgrind (exit code {recording.ExitCode}); nothing was written to {output}");
        }

        sink.Complete();
        long bytes = file.Commit();
        string ending = recording.StoppedAtLimit ? "stopped there"
            : recording.ExitCode != 0 ? $"the program ended with exit code {recording.ExitCode}" : "to the program's end";
        context.Error.WriteLine(NumberText.Line(
            $"memvirt: {output}: {recording.References:N0} references, {ending}; {NumberText.Bytes(bytes)} in {recording.Seconds:0.0} s"));
        return ExitCodes.Success;
    }
}
