using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using MemVirt.Cli.Consoles;
using MemVirt.Cli.Output;
using MemVirt.Cli.Rendering;
using MemVirt.Cpu;

namespace MemVirt.Cli.Guests;

/// <summary>Runs a guest with its serial console on the terminal, and tells at the end what it did.</summary>
internal static class GuestRunner
{
    /// <summary>Virtual time between two looks at the keyboard, in nanoseconds: some milliseconds of real time.</summary>
    private const ulong Slice = 2_000_000;

    public static int Run(RunRequest request, CommandContext context)
    {
        using AtomicFile? jsonFile = request.JsonPath is null or "-" ? null : AtomicFile.Create(request.JsonPath);
        var unimplemented = new SortedDictionary<string, (ulong Rip, long Count)>(StringComparer.Ordinal);
        long started = Stopwatch.GetTimestamp();
        GuestStop stop;
        GuestSummary summary;
        string where;
        int? exitCode;
        using (IGuestConsole console = GuestConsoles.Open(onStandardError: request.JsonPath == "-"))
        {
            using var machine = new GuestMachine(new GuestOptions
            {
                MemoryBytes = request.Guest.MemoryBytes, Regime = request.Regime, Profile = request.Guest.Profile, Output = console.Write,
                Start = request.IsRealTime ? DateTime.UtcNow : new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc),
            });
            request.Guest.LoadInto(machine);
            if (request.LogsUnimplemented)
            {
                machine.UnimplementedMet = (rip, code) =>
                    unimplemented[code] = unimplemented.TryGetValue(code, out (ulong Rip, long Count) met) ? (met.Rip, met.Count + 1) : (rip, 1);
            }

            stop = Run(machine, console, request, context);
            console.Flush();
            (summary, where, exitCode) = (machine.Summary(), machine.Where, machine.Devices.DebugExit.ExitCode);
        }

        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        context.Error.WriteLine();
        foreach (string line in Lines(stop, where, summary, request, seconds, exitCode))
        {
            context.Error.WriteLine(line);
        }

        foreach ((string code, (ulong rip, long count)) in unimplemented)
        {
            context.Error.WriteLine(NumberText.Line($"not implemented: {code}, {count:N0} times, first at RIP 0x{rip:x}"));
        }

        WriteJson(request, context, jsonFile, stop, where, summary, exitCode, seconds);
        return ExitCodeOf(stop, exitCode);
    }

    private static GuestStop Run(GuestMachine machine, IGuestConsole console, RunRequest request, CommandContext context)
    {
        Span<byte> typed = stackalloc byte[64];
        Span<byte> waiting = stackalloc byte[64];
        int pending = 0;
        ulong until = 0;
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            // An instruction is a nanosecond: a slice never goes beyond the last one asked for.
            ulong retired = machine.Summary().Instructions;
            ulong left = request.MaxInstructions is { } limit ? Math.Max((ulong)limit, retired) - retired : Slice;
            until += Math.Min(Slice, Math.Max(left, 1));
            GuestStop stop = machine.Run(until);
            if (stop == GuestStop.Halted && machine.AwaitsInput)
            {
                // Nothing but a key would wake it.
                console.Flush();
                Thread.Sleep(5);
                stop = GuestStop.TimeOver;
            }

            if (stop != GuestStop.TimeOver)
            {
                return stop;
            }

            if (console.LeaveRequested || context.Cancellation.IsCancellationRequested
                || (request.MaxInstructions is { } most && machine.Summary().Instructions >= (ulong)most))
            {
                return GuestStop.Stopped;
            }

            if (pending == 0)
            {
                pending = console.Read(typed);
                typed[..pending].CopyTo(waiting);
            }

            if (pending > 0)
            {
                int taken = machine.Type(waiting[..pending]);
                waiting[taken..pending].CopyTo(waiting);
                pending -= taken;
            }

            if (request.IsRealTime)
            {
                double ahead = (until / 1e6) - Stopwatch.GetElapsedTime(started).TotalMilliseconds;
                if (ahead > 1)
                {
                    Thread.Sleep((int)Math.Min(ahead, 20));
                }
                else if (ahead < -1 && machine.Summary().Halts > 0)
                {
                    // A guest that has been idle once has measured its clocks against each other: no jump disturbs that any more.
                    var behind = (ulong)(-ahead * 1e6);
                    machine.Skip(behind);
                    until += behind;
                }
            }
        }
    }

    private static IEnumerable<string> Lines(
        GuestStop stop, string where, GuestSummary summary, RunRequest request, double seconds, int? exitCode)
    {
        yield return stop switch
        {
            GuestStop.Halted => $"memvirt: the guest halted ({where})",
            GuestStop.Exit => $"memvirt: the guest wrote to the exit port: exit code {exitCode}",
            GuestStop.Reset => "memvirt: the guest asked for a reset",
            GuestStop.TripleFault => $"memvirt: triple fault, the guest is shut down ({where}); --log unimplemented tells of missing instructions",
            GuestStop.Unhandled => $"memvirt: a page table of the guest leads where there is no memory ({where})",
            _ => $"memvirt: stopped ({where})",
        };
        yield return NumberText.Line(
            $"{summary.Instructions:N0} instructions in {seconds:0.0} s, {summary.Instructions / Math.Max(seconds, 1e-9) / 1e6:0} M a second; regime {request.RegimeName}");
        yield return NumberText.Line(
            $"exits: page faults {summary.PageFaults:N0}, CR access {summary.ControlRegisterWrites:N0} (CR3 {summary.Cr3Loads:N0}), INVLPG {summary.Invalidations:N0}, I/O {summary.PortAccesses:N0}, HLT {summary.Halts:N0}, CPUID {summary.Cpuids:N0}, interrupts {summary.ExternalInterrupts:N0}, MSR {summary.MsrAccesses:N0}");
        yield return NumberText.Line(
            $"MMU: {summary.TlbMisses:N0} walks, second-stage faults {summary.SecondStageFaults:N0}, faults of the shadow pager {summary.ShadowFaults:N0}");
    }

    private static int ExitCodeOf(GuestStop stop, int? exitCode) => stop switch
    {
        GuestStop.Exit => exitCode!.Value & 0xFF,
        GuestStop.Halted or GuestStop.Reset or GuestStop.Stopped => ExitCodes.Success,
        _ => ExitCodes.Failure,
    };

    private static void WriteJson(
        RunRequest request, CommandContext context, AtomicFile? file, GuestStop stop, string where, GuestSummary summary, int? exitCode,
        double seconds)
    {
        if (request.JsonPath is null)
        {
            return;
        }

        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("schema", "memvirt.run/1");
            json.WriteString("guest", request.Guest.Name);
            json.WriteString("regime", request.RegimeName);
            json.WriteString("stop", stop.ToString());
            json.WriteString("where", where);
            if (exitCode is { } code)
            {
                json.WriteNumber("exitCode", code);
            }

            json.WriteNumber("instructions", summary.Instructions);
            json.WriteNumber("virtualNanoseconds", summary.VirtualNanoseconds);
            json.WriteNumber("pageFaults", summary.PageFaults);
            json.WriteNumber("otherExceptions", summary.OtherExceptions);
            json.WriteNumber("externalInterrupts", summary.ExternalInterrupts);
            json.WriteNumber("controlRegisterWrites", summary.ControlRegisterWrites);
            json.WriteNumber("cr3Loads", summary.Cr3Loads);
            json.WriteNumber("invalidations", summary.Invalidations);
            json.WriteNumber("portAccesses", summary.PortAccesses);
            json.WriteNumber("deviceAccesses", summary.DeviceAccesses);
            json.WriteNumber("halts", summary.Halts);
            json.WriteNumber("cpuids", summary.Cpuids);
            json.WriteNumber("msrAccesses", summary.MsrAccesses);
            json.WriteNumber("walks", summary.TlbMisses);
            json.WriteNumber("secondStageFaults", summary.SecondStageFaults);
            json.WriteNumber("shadowFaults", summary.ShadowFaults);
            json.WriteNumber("codeFramesWritten", summary.CodeFramesWritten);
            json.WriteNumber("unimplemented", summary.Unimplemented);
            json.WriteNumber("seconds", Math.Round(seconds, 3));
            json.WriteEndObject();
        }

        if (file is null)
        {
            context.Output.WriteLine(System.Text.Encoding.UTF8.GetString(buffer.ToArray()));
            return;
        }

        file.Stream.Write(buffer.ToArray());
        file.Stream.WriteByte((byte)'\n');
        file.Commit();
    }
}
