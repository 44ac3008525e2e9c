using System.CommandLine;
using MemVirt.Cli.Guests;
using MemVirt.Cli.Output;
using MemVirt.Simulation;

namespace MemVirt.Cli.Commands;

/// <summary><c>memvirt compare</c>: its options and their checks.</summary>
internal static class CompareCommand
{
    private const int MaximumJobs = 1024;

    public static Command Create(CommandContext context)
    {
        var traces = new Argument<string[]>("TRACE")
        {
            Arity = ArgumentArity.ZeroOrMore,
            Description = "Traces, the processes of one guest (lackey text, plain or compressed; .mvt; ChampSim; - for standard input). "
                + "Without any, the built-in traces, each on its own.",
        };
        var regimes = Text("--regimes", "LIST", "Some of native,shadow,ept,npt (default: all).");
        var machine = Text("--machine", "LIST", "Presets or machine files, with commas between them (default: skylake).");
        var guestPages = Text("--guest-pages", "SIZE", "The guest's page size: 4k, 2m or 1g (default: 4k).");
        var hostPages = Text("--host-pages", "SIZE", "The VMM's page size: 4k, 2m or 1g (default: 4k).");
        var quantum = Text("--quantum", "N", "References a process runs before the next one's turn (default: 100000).");
        var refs = Text("--refs", "N", "Take only the first N references, over all traces.");
        var warmup = Text("--warmup", "N", "Start counting after N references (default: 0).");
        var jobs = Text("--jobs", "N", "Threads (default: one a processor). The counts do not depend on it.");
        var json = Text("--json", "FILE|-", "Write the result as JSON to a file, or to standard output and nothing else there.");
        var report = Text("--report", "FILE", "Write a page of charts, self-contained HTML; the run counts more for it and takes up to twice as long.");
        var noProgress = new Option<bool>("--no-progress") { Description = "No progress bar (there is one only on a terminal)." };
        var command = new Command("compare", "Compare native, shadow, EPT and NPT translation on memory traces, or on a guest that runs (--kernel, --image).")
        {
            traces, regimes, machine, guestPages, hostPages, quantum, refs, warmup, jobs, json, report, noProgress,
        };
        var guest = new GuestOptionSet();
        guest.AddTo(command);
        command.SetAction(parsed =>
        {
            GuestRequest? asked = guest.Read(parsed);
            var options = new ComparisonOptions
            {
                Regimes = OptionText.Regimes(parsed.GetValue(regimes)),
                GuestPages = OptionText.Pages("--guest-pages", parsed.GetValue(guestPages)),
                HostPages = OptionText.Pages("--host-pages", parsed.GetValue(hostPages)),
                Quantum = OptionText.Count("--quantum", parsed.GetValue(quantum), minimum: 1) ?? 100_000,
                References = OptionText.Count("--refs", parsed.GetValue(refs), minimum: 1),
                Warmup = OptionText.Count("--warmup", parsed.GetValue(warmup), minimum: 0) ?? 0,
                Jobs = (int)Math.Min(
                    OptionText.Count("--jobs", parsed.GetValue(jobs), minimum: 1) ?? Environment.ProcessorCount, MaximumJobs),
                Machines = OptionText.Machines(parsed.GetValue(machine)),
                Details = parsed.GetValue(report) is not null,
            };
            ReportRequest? page = parsed.GetValue(report) is { } path
                ? new ReportRequest(path, ShellText.CommandLine(parsed), OptionText.MachineNames(parsed.GetValue(machine)))
                : null;
            var request = new CompareRequest(
                parsed.GetValue(traces) ?? [], options, parsed.GetValue(json), page, !parsed.GetValue(noProgress))
            {
                Guest = asked,
            };
            if (asked is not null)
            {
                CheckGuest(parsed, request, [guestPages, quantum, warmup, jobs]);
            }

            Check(request);
            return CompareRunner.Run(request, context);
        });
        return command;
    }

    private static void CheckGuest(ParseResult parsed, CompareRequest request, Option[] ofTraces)
    {
        if (request.Traces.Count > 0)
        {
            throw CommandException.Usage($"{request.Traces[0]} is a trace, and --kernel or --image runs a guest; give one of them");
        }

        foreach (Option option in ofTraces)
        {
            if (parsed.GetResult(option) is { Implicit: false })
            {
                throw CommandException.Usage($"{option.Name} is for traces, and a guest that runs decides that itself; leave it out");
            }
        }
    }

    private static Option<string?> Text(string name, string helpName, string description)
        => new(name) { HelpName = helpName, Description = description };

    private static void Check(CompareRequest request)
    {
        if (request.Traces.Count(trace => trace == "-") > 1)
        {
            throw CommandException.Usage("- stands there twice, and there is one standard input; give it once");
        }

        if (request.Options.References is long references && request.Options.Warmup >= references)
        {
            throw CommandException.Usage(
                $"--warmup {request.Options.Warmup} leaves nothing of --refs {references} to count; make it smaller");
        }

        string? json = request.JsonPath == "-" ? null : request.JsonPath;
        foreach ((string option, string? file) in new[] { ("--json", json), ("--report", request.Report?.Path) })
        {
            if (file is not null && request.Traces.Any(trace => SameFile.Is(trace, file)))
            {
                throw CommandException.Usage($"{option} {file} is one of the traces; give another file");
            }
        }

        if (request.Report?.Path == "-")
        {
            throw CommandException.Usage("--report -: standard output is for text and JSON; give the name of a file");
        }

        if (json is not null && request.Report is { } report && SameFile.Is(json, report.Path))
        {
            throw CommandException.Usage($"--json and --report both write {json}; give two files");
        }
    }
}
