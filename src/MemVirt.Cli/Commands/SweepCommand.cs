using System.CommandLine;
using System.IO.Hashing;
using MemVirt.Cli.Output;
using MemVirt.Cli.Rendering;
using MemVirt.Cli.Sweeps;
using MemVirt.Cli.TraceAccess;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Sweeps;

namespace MemVirt.Cli.Commands;

/// <summary><c>memvirt sweep</c>: its options, their checks, and the run.</summary>
internal static class SweepCommand
{
    private const int MaximumJobs = 1024;
    private const int MaximumShards = 10_000;

    public static Command Create(CommandContext context)
    {
        var traces = new Argument<string[]>("TRACE")
        {
            Arity = ArgumentArity.OneOrMore,
            Description = "Traces, a guest each (lackey text, plain or compressed; .mvt; ChampSim).",
        };
        var regimes = Text("--regimes", "LIST", "Some of native,shadow,ept,npt (default: all).");
        var machine = Text("--machine", "LIST", "Presets or machine files, with commas between them (default: skylake).");
        var entries = Text("--l2-tlb-entries", "LIST", "Sizes of the second-level TLB to try on each machine (default: its own).");
        var guestPages = Text("--guest-pages", "LIST", "The guest's page sizes, of 4k,2m,1g (default: 4k).");
        var hostPages = Text("--host-pages", "LIST", "The VMM's page sizes, of 4k,2m,1g (default: 4k).");
        var refs = Text("--refs", "N", "Take only the first N references of each trace.");
        var warmup = Text("--warmup", "N", "Start counting after N references of each trace (default: 0).");
        var jobs = Text("--jobs", "N", "Threads (default: one a processor). The counts do not depend on it.");
        var shard = Text("--shard", "I/N", "Run the I-th of N parts only, to be joined by `memvirt merge`; needs --json.");
        var slurm = Text("--slurm", "SCRIPT", "Do not run: write an sbatch script that runs the sweep as an array of --shards jobs.");
        var shards = Text("--shards", "N", "Jobs of the array that --slurm writes (default: 8).");
        var csv = Text("--csv", "FILE", "Write a line for each point and regime.");
        var json = Text("--json", "FILE|-", "Write the same as JSON to a file, or to standard output and nothing else there.");
        var report = Text("--report", "FILE", "Write a page of curves, self-contained HTML.");
        var noProgress = new Option<bool>("--no-progress") { Description = "No progress bar (there is one only on a terminal)." };
        var command = new Command("sweep", "Compare over traces, machines, TLB sizes and page sizes, decoding each trace once for many.")
        {
            traces, regimes, machine, entries, guestPages, hostPages, refs, warmup, jobs, shard, slurm, shards, csv, json, report, noProgress,
        };
        command.SetAction(parsed =>
        {
            string[] paths = parsed.GetValue(traces)!;
            string[] names = (parsed.GetValue(machine) ?? "skylake").Split(',', StringSplitOptions.TrimEntries);
            MachineDescription[] machines = [.. names.Select(OptionText.Machine)];
            var definition = new SweepDefinition
            {
                Traces = [.. paths.Select(TraceOf)],
                Machines = [.. names.Zip(machines, (name, described) => new SweepMachine(described.Name, FingerprintOf(name)))],
                L2TlbEntries = EntriesOf(parsed.GetValue(entries)),
                GuestPages = PagesOf("--guest-pages", parsed.GetValue(guestPages)),
                HostPages = PagesOf("--host-pages", parsed.GetValue(hostPages)),
                Regimes = [.. OptionText.Regimes(parsed.GetValue(regimes)).Select(RegimeNames.Of)],
                References = OptionText.Count("--refs", parsed.GetValue(refs), minimum: 1),
                Warmup = OptionText.Count("--warmup", parsed.GetValue(warmup), minimum: 0) ?? 0,
            };
            var outputs = new SweepOutputs(parsed.GetValue(csv), parsed.GetValue(json), parsed.GetValue(report), ShellText.CommandLine(parsed));
            SweepShard? part = ShardOf(parsed.GetValue(shard), definition, outputs);
            Check(definition, machines, outputs);
            if (parsed.GetValue(slurm) is { } script)
            {
                long count = OptionText.Count("--shards", parsed.GetValue(shards), minimum: 1) ?? 8;
                return SlurmScript.Write(script, SweepArguments(definition, names), (int)Math.Min(Math.Min(count, definition.Points), MaximumShards), outputs, context);
            }

            long threads = OptionText.Count("--jobs", parsed.GetValue(jobs), minimum: 1) ?? Environment.ProcessorCount;
            using SweepFiles files = SweepFiles.Create(outputs);
            SweepResult result = ProgressDisplay.While(!parsed.GetValue(noProgress), "sweeping", context, () => Sweep.Run(
                definition, part, machines, TraceOpening.Open, (int)Math.Min(threads, MaximumJobs),
                progress => context.Status.Report(progress.References, progress.Fraction), context.Cancellation));
            context.Status.EndPiece();
            files.Write(result, context);
            return ExitCodes.Success;
        });
        return command;
    }

    private static Option<string?> Text(string name, string helpName, string description)
        => new(name) { HelpName = helpName, Description = description };

    private static SweepTrace TraceOf(string path)
    {
        if (path == "-")
        {
            throw CommandException.Usage("a sweep reads its traces more than once, and standard input can be read once; write it to a file");
        }

        using (TraceOpening.Open(path))
        {
            return new SweepTrace(path, new FileInfo(path).Length);
        }
    }

    /// <summary>The same for the same machine file, whatever it is called.</summary>
    private static string FingerprintOf(string machine)
    {
        ReadOnlyMemory<byte> json = OptionText.MachineJson(machine);
        return XxHash3.HashToUInt64(json.Span).ToString("x16", System.Globalization.CultureInfo.InvariantCulture);
    }

    private static List<int> EntriesOf(string? text)
    {
        if (text is null)
        {
            return [0];
        }

        List<int> entries = [.. text.Split(',', StringSplitOptions.TrimEntries)
            .Select(each => (int)Math.Min(OptionText.Count("--l2-tlb-entries", each, minimum: 1)!.Value, int.MaxValue))];
        return Distinct("--l2-tlb-entries", entries);
    }

    private static List<string> PagesOf(string option, string? text)
        => Distinct(option, [.. (text ?? "4k").Split(',', StringSplitOptions.TrimEntries)
            .Select(each => PageSizeNames.Of(OptionText.Pages(option, each)))]);

    private static List<T> Distinct<T>(string option, List<T> values)
        => values.Distinct().Count() == values.Count
            ? values
            : throw CommandException.Usage($"{option}: a value stands there twice; name each once");

    private static SweepShard? ShardOf(string? text, SweepDefinition definition, SweepOutputs outputs)
    {
        if (text is null)
        {
            return null;
        }

        string[] parts = text.Split('/');
        if (parts.Length != 2
            || !int.TryParse(parts[0], out int part) || !int.TryParse(parts[1], out int of) || part < 1 || part > of || of > definition.Points)
        {
            throw CommandException.Usage(
                $"--shard {text}: write I/N, I from 1 to N, N up to the sweep's {definition.Points} points, for example 1/{Math.Min(8, definition.Points)}");
        }

        return outputs is { Json: not null, Csv: null, Report: null }
            ? new SweepShard(part, of)
            : throw CommandException.Usage("--shard writes a part for `memvirt merge`: give it --json FILE, and --csv and --report to merge");
    }

    private static void Check(SweepDefinition definition, MachineDescription[] machines, SweepOutputs outputs)
    {
        if (definition.References is { } references && definition.Warmup >= references)
        {
            throw CommandException.Usage($"--warmup {definition.Warmup} leaves nothing of --refs {references} to count; make it smaller");
        }

        foreach (MachineDescription machine in machines)
        {
            foreach (int entries in definition.L2TlbEntries.Where(entries => entries != 0))
            {
                SecondLevelTlb.WithEntries(machine, entries);
            }
        }

        outputs.Check(definition.Traces.Select(trace => trace.Path));
    }

    /// <summary>The command line of the definition, for a script.</summary>
    private static List<string> SweepArguments(SweepDefinition definition, string[] machines)
    {
        List<string> arguments = ["--machine", string.Join(',', machines), "--regimes", string.Join(',', definition.Regimes)];
        arguments.AddRange(["--guest-pages", string.Join(',', definition.GuestPages), "--host-pages", string.Join(',', definition.HostPages)]);
        if (definition.L2TlbEntries is not [0])
        {
            arguments.AddRange(["--l2-tlb-entries", string.Join(',', definition.L2TlbEntries)]);
        }

        if (definition.References is { } references)
        {
            arguments.AddRange(["--refs", references.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        }

        if (definition.Warmup > 0)
        {
            arguments.AddRange(["--warmup", definition.Warmup.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        }

        return [.. arguments, "--", .. definition.Traces.Select(trace => trace.Path)];
    }
}
