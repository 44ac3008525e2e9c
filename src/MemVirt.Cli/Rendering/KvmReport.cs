using MemVirt.Core.Registers;
using MemVirt.Native;
using MemVirt.Native.Counts;
using MemVirt.Native.Kvm;
using MemVirt.Native.Probes;
using MemVirt.Native.SelfTests;
using Spectre.Console;

namespace MemVirt.Cli.Rendering;

/// <summary>A verification for people: host, self-tests, probes with what deviates, counts.</summary>
internal static class KvmReport
{
    private const int NarrowestColumns = 60;
    private const int WidestColumns = 110;

    public static void Write(KvmVerificationResult result, CommandContext context)
    {
        int width = Math.Clamp(context.Width, NarrowestColumns, WidestColumns);
        Lines(HostLine(result), width, context);
        context.Output.WriteLine();
        WriteTable(SelfTests(result.SelfTests), width, context);
        context.Output.WriteLine();
        Lines(ProbeLine(result.Probes), width, context);
        foreach (ProbeDeviation deviation in result.Probes.Deviations)
        {
            context.Output.WriteLine();
            WriteDeviation(deviation, context.Output);
        }

        context.Output.WriteLine();
        WriteCounts(result.Counts, width, context);
        context.Output.WriteLine();
        Lines(Verdict(result), width, context);
    }

    private static void Lines(string sentence, int width, CommandContext context)
    {
        foreach (string line in WordWrap.Lines(sentence, width))
        {
            context.Output.WriteLine(line);
        }
    }

    private static string HostLine(KvmVerificationResult result)
    {
        string paging = result.Host.NestedPaging switch
        {
            true => "nested paging: the processor walks",
            false => "no nested paging: KVM shadows and walks in software",
            null => "nested paging or not is unknown",
        };
        string vendor = result.Features.Vendor == ProcessorVendor.Amd ? "AMD's" : "Intel's";
        return $"{result.Host.Kernel}, {result.Host.Module} on {result.Host.Processor}; {paging}; "
            + NumberText.Line($"{vendor} rules, {result.Features.PhysicalAddressBits} bits of physical address");
    }

    private static Table SelfTests(SelfTestResult selfTests)
    {
        Table table = new Table { Border = TableBorder.Horizontal, UseSafeBorder = false };
        table.AddColumns("self-test", "", "");
        foreach (SelfTestStep step in selfTests.Steps)
        {
            bool isUsual = step.Outcome is SelfTestOutcome.Works or SelfTestOutcome.Noted;
            Style style = isUsual ? Style.Plain : new Style(decoration: Decoration.Bold);
            table.AddRow(
                new Text(step.Name, style), new Text(step.Outcome.ToString().ToLowerInvariant(), style), new Text(step.Detail, style));
        }

        return table;
    }

    private static string ProbeLine(ProbeSummary probes)
    {
        long succeeded = probes.Endings.GetValueOrDefault("succeeded");
        int codes = probes.Endings.Keys.Count(ending => ending != "succeeded");
        return NumberText.Line($"{probes.Compared:N0} probes, seed {probes.Seed}: {succeeded:N0} succeed, ")
            + NumberText.Line($"{probes.Compared - succeeded:N0} fault with {codes} different error codes; ")
            + NumberText.Line($"{probes.Masked:N0} more left out because of masks; {probes.Deviating:N0} deviate ")
            + NumberText.Line($"({probes.Elapsed.TotalSeconds:0.0} s, {probes.Elapsed.TotalMicroseconds / probes.Compared:0} µs each)");
    }

    private static void WriteDeviation(ProbeDeviation deviation, TextWriter output)
    {
        PagingRegisters registers = deviation.Registers;
        output.WriteLine($"probe {deviation.Number}, as small as it goes: {deviation.Access} of 0x{deviation.Address:x}");
        output.WriteLine(
            $"  CPL {registers.CurrentPrivilegeLevel}, AC {(registers.AlignmentCheck ? 1 : 0)}, CR0 0x{registers.Cr0:x}, "
            + $"CR3 0x{registers.Cr3:x}, CR4 0x{registers.Cr4:x}, EFER 0x{registers.Efer:x}");
        output.WriteLine($"  engine: {deviation.Engine}");
        output.WriteLine($"  guest:  {deviation.Guest}");
        foreach (DeviationEntry entry in deviation.Entries)
        {
            output.WriteLine(
                $"  {entry.Name,-5} at 0x{entry.Address:x}: 0x{entry.Before:x16}, "
                + $"then 0x{entry.Engine:x16} (engine), 0x{entry.Guest:x16} (guest)");
        }
    }

    private static void WriteCounts(IReadOnlyList<CountExperiment> experiments, int width, CommandContext context)
    {
        if (experiments.Any(experiment => experiment.Steps.Count > 0))
        {
            WriteTable(Counts(experiments), width, context);
        }

        foreach (IGrouping<string, CountExperiment> group in experiments
            .Where(experiment => experiment.NotRun is not null)
            .GroupBy(experiment => experiment.NotRun!))
        {
            Lines($"not run: {string.Join("; ", group.Select(experiment => experiment.Name))} ({group.Key})", width, context);
        }
    }

    /// <summary>One number where both sides have it; the host's and the engine's where they differ.</summary>
    private static Table Counts(IReadOnlyList<CountExperiment> experiments)
    {
        Table table = new Table { Border = TableBorder.Horizontal, UseSafeBorder = false };
        table.AddColumn("events of shadow paging, host = engine");
        foreach (string name in (ReadOnlySpan<string>)["faults", "unsync", "emulated", "flooded", "built"])
        {
            table.AddColumn(new TableColumn(name).RightAligned().NoWrap());
        }

        foreach (CountExperiment experiment in experiments.Where(experiment => experiment.Steps.Count > 0))
        {
            table.AddRow(new Text(experiment.Name, new Style(decoration: Decoration.Bold)));
            foreach (CountStep step in experiment.Steps)
            {
                ShadowCounts host = step.Host, engine = step.Engine;
                table.AddRow(
                    new Text("  " + step.Name),
                    Both(host.Faults, engine.Faults),
                    Both(host.Unsync, engine.Unsync),
                    Both(host.Emulated, engine.Emulated),
                    Both(host.Flooded, engine.Flooded),
                    Both(host.Built, engine.Built));
            }
        }

        return table;
    }

    private static Text Both(long host, long engine) => host == engine
        ? new Text(NumberText.Count(host))
        : new Text($"{NumberText.Count(host)} ≠ {NumberText.Count(engine)}", new Style(decoration: Decoration.Bold));

    private static string Verdict(KvmVerificationResult result)
    {
        int steps = result.Counts.Sum(experiment => experiment.Steps.Count);
        int differing = result.Counts.Sum(experiment => experiment.Steps.Count(step => !step.Agrees));
        return result.Agrees
            ? NumberText.Line($"engine and host agree in {result.Probes.Compared:N0} probes and {steps} counted steps")
            : NumberText.Line($"engine and host DEVIATE in {result.Probes.Deviating:N0} probes and {differing} of {steps} counted steps");
    }

    private static void WriteTable(Table table, int width, CommandContext context)
    {
        using var text = new StringWriter();
        SpectreTerminal.Create(text, isTerminal: false, width).Write(table);
        foreach (string line in text.ToString().TrimEnd().Split('\n'))
        {
            context.Output.WriteLine(line.TrimEnd());
        }
    }
}
