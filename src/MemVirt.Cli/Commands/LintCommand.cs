using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MemVirt.Simulation.Lint;

namespace MemVirt.Cli.Commands;

/// <summary><c>memvirt lint</c>: uses of translations whose entries changed without the invalidation the manual requires.</summary>
internal static class LintCommand
{
    private static readonly JsonWriterOptions _json = new() { Indented = true };

    public static Command Create(CommandContext context)
    {
        var run = new Argument<string>("RUN") { Description = "A recorded run (docs/lint.md has the format); - reads standard input." };
        var strict = new Option<bool>("--strict")
        {
            Description = "Also flag translations that no access used: a processor may cache any (Intel SDM Vol. 3A §4.10.2.3).",
        };
        var json = new Option<bool>("--json") { Description = "Print the findings as JSON." };
        var command = new Command(
            "lint", "Flag each use of a translation whose entry changed without the invalidation the manual requires.") { run, strict, json };
        command.SetAction(parsed => Run(parsed.GetValue(run)!, parsed.GetValue(strict), parsed.GetValue(json), context));
        return command;
    }

    private static int Run(string path, bool strict, bool json, CommandContext context)
    {
        RunLinter linter = Read(path, strict, context);
        if (json)
        {
            WriteJson(linter, context);
        }
        else
        {
            WriteText(linter, path, context);
        }

        return linter.Findings.Count == 0 ? ExitCodes.Success : ExitCodes.Failure;
    }

    private static RunLinter Read(string path, bool strict, CommandContext context)
    {
        string name = path == "-" ? "standard input" : path;
        try
        {
            using TextReader reader = path == "-" ? new StreamReader(Console.OpenStandardInput()) : new StreamReader(path);
            return RunReader.Read(reader, name, strict, context.Cancellation);
        }
        catch (LintException exception)
        {
            throw CommandException.Usage(exception.Message);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw CommandException.Usage($"{name} cannot be read: {exception.Message}");
        }
    }

    private static void WriteText(RunLinter linter, string path, CommandContext context)
    {
        foreach (LintFinding finding in linter.Findings)
        {
            string more = finding.Accesses == 1 ? "" : $" ({finding.Accesses} accesses)";
            string now = finding.CurrentPage is { } page ? $"map 0x{page:x}" : "deny it";
            context.Output.WriteLine(
                $"{path}:{finding.Line}: {Name(finding)} of 0x{finding.Address:x} in VPID {finding.VirtualProcessor}, PCID "
                + $"{finding.ProcessContext} may still reach 0x{finding.HeldPage:x}; the tables now {now}{more}");
            context.Output.WriteLine(
                $"    line {finding.ChangedOnLine} changed the {LevelName(finding.Stale)} from 0x{finding.Stale.Held:x} to "
                + $"0x{finding.Stale.Now:x} (accessed and dirty flags aside); enough after it: {finding.Remedy}");
        }

        string accesses = linter.Accesses.ToString("N0", CultureInfo.InvariantCulture);
        context.Output.WriteLine($"{accesses} accesses, {linter.Findings.Count} findings");
    }

    private static void WriteJson(RunLinter linter, CommandContext context)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, _json))
        {
            writer.WriteStartObject();
            writer.WriteNumber("accesses", linter.Accesses);
            writer.WriteStartArray("findings");
            foreach (LintFinding finding in linter.Findings)
            {
                WriteFinding(writer, finding);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        context.Output.WriteLine(System.Text.Encoding.UTF8.GetString(buffer.ToArray()));
    }

    private static void WriteFinding(Utf8JsonWriter writer, LintFinding finding)
    {
        writer.WriteStartObject();
        writer.WriteNumber("line", finding.Line);
        writer.WriteString("access", Name(finding));
        writer.WriteString("address", Hex(finding.Address));
        writer.WriteNumber("vpid", finding.VirtualProcessor);
        writer.WriteNumber("pcid", finding.ProcessContext);
        writer.WriteNumber("changedOnLine", finding.ChangedOnLine);
        writer.WriteNumber("level", finding.Stale.Level);
        writer.WriteString("entry", Hex(finding.Stale.Address));
        writer.WriteString("held", Hex(finding.Stale.Held));
        writer.WriteString("now", Hex(finding.Stale.Now));
        writer.WriteString("heldPage", Hex(finding.HeldPage));
        writer.WriteString("currentPage", finding.CurrentPage is { } page ? Hex(page) : null);
        writer.WriteNumber("accesses", finding.Accesses);
        writer.WriteString("remedy", finding.Remedy);
        writer.WriteEndObject();
    }

    private static string Hex(ulong value) => $"0x{value:x}";

    private static string Name(LintFinding finding) => finding.Access.ToString().ToLowerInvariant();

    private static string LevelName(StaleEntry stale)
        => stale.Address == 0 ? "root (CR3)"
            : $"{(stale.Level switch { 0 => "PTE", 1 => "PDE", 2 => "PDPTE", 3 => "PML4E", _ => "PML5E" })} at 0x{stale.Address:x}";
}
