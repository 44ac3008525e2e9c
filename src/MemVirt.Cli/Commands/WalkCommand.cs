using System.CommandLine;
using MemVirt.Cli.Output;
using MemVirt.Cli.Walks;
using MemVirt.Core.Addresses;
using MemVirt.Core.Registers;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.Commands;

/// <summary><c>memvirt walk</c>: its options and their checks.</summary>
internal static class WalkCommand
{
    private const string DefaultAddress = "0x7f5a12345678";
    private const int DefaultAddressBits = 46;

    public static Command Create(CommandContext context)
    {
        var options = new WalkOptions();
        var command = new Command(
            "walk",
            "Explain one access: every reference of its page walk under each regime, what served it, what it cost and how it faults. "
            + "The access is a reference of a trace, or one to tables made for it.");
        options.AddTo(command);
        command.SetAction(parsed => WalkRunner.Run(Checked(options, parsed), context));
        return command;
    }

    private static WalkRequest Checked(WalkOptions options, ParseResult parsed)
    {
        PageSize guestPages = OptionText.Pages("--guest-pages", parsed.GetValue(options.GuestPages));
        PageSize hostPages = OptionText.Pages("--host-pages", parsed.GetValue(options.HostPages));
        IReadOnlyList<Regime> regimes = OptionText.Regimes(parsed.GetValue(options.Regimes));
        TracePlace? trace = Trace(options, parsed);
        MadeAccess? made = trace is null ? Made(options, parsed, regimes, guestPages, hostPages) : null;
        MachineDescription machine = OptionText.Machine(parsed.GetValue(options.Machine) ?? (trace is null ? "teaching" : "skylake"));
        (string? json, string? html) = (parsed.GetValue(options.Json), parsed.GetValue(options.Html));
        CheckOutputs(trace, json, html);
        return new WalkRequest(trace, made, regimes, guestPages, hostPages, machine, json, html, ShellText.CommandLine(parsed));
    }

    private static TracePlace? Trace(WalkOptions options, ParseResult parsed)
    {
        string? path = parsed.GetValue(options.Trace);
        string? number = parsed.GetValue(options.Reference);
        long? reference = OptionText.Count("--reference", number, minimum: 1);
        if (path is null)
        {
            return reference is null ? null
                : throw CommandException.Usage($"--reference {number}: of which trace? Name it: memvirt walk TRACE --reference {number}");
        }

        if (path == "-")
        {
            throw CommandException.Usage("-: the trace is read twice, and standard input cannot be; keep it in a file (memvirt trace convert - FILE.mvt)");
        }

        foreach (Option option in options.OfMadeTables)
        {
            if (parsed.GetResult(option) is { Implicit: false })
            {
                throw CommandException.Usage($"{option.Name} is for tables made by options, and {path} brings its own accesses; leave one of them out");
            }
        }

        return new TracePlace(path, reference ?? throw CommandException.Usage($"{path}: which reference of it? Write --reference N, counted from 1"));
    }

    private static MadeAccess Made(WalkOptions options, ParseResult parsed, IReadOnlyList<Regime> regimes, PageSize guestPages, PageSize hostPages)
    {
        if (parsed.GetValue(options.User) && parsed.GetValue(options.Supervisor))
        {
            throw CommandException.Usage("--user and --supervisor exclude each other; give one of them");
        }

        int addressBits = AddressBits(parsed.GetValue(options.PhysicalBits));
        var registers = new PagingRegisters
        {
            Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
            Cr4 = Cr4.PhysicalAddressExtension,
            Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
            CurrentPrivilegeLevel = (byte)(parsed.GetValue(options.Supervisor) ? 0 : 3),
        };
        List<(string, string)> changes = [.. Changes("--set", parsed.GetValue(options.Set)), .. Changes("--clear", parsed.GetValue(options.Clear))];
        (registers, IReadOnlyList<EntryEdit> edits) = EditText.Read(changes, registers, guestPages, hostPages, addressBits);
        foreach ((EditedTable table, Regime regime) in new[] { (EditedTable.Ept, Regime.Ept), (EditedTable.Npt, Regime.Npt) })
        {
            if (edits.Any(edit => edit.Table == table) && !regimes.Contains(regime))
            {
                throw CommandException.Usage(
                    $"--regimes leaves {RegimeNames.Of(regime)} out, whose tables --set or --clear changes; put it in, or drop the change");
            }
        }

        if (!WalkRunner.IsShadowed(in registers) && regimes is [Regime.Shadow])
        {
            throw CommandException.Usage(
                "--clear cr0.wp --set cr4.smap: shadow paging does not follow both; choose another of --regimes");
        }

        return new MadeAccess(
            OptionText.Address("--gva", parsed.GetValue(options.Gva) ?? DefaultAddress),
            Access(parsed.GetValue(options.Access)),
            registers,
            addressBits,
            edits,
            [.. changes.Select(change => $"{change.Item2} {(change.Item1 == "--set" ? "set" : "cleared")}")]);
    }

    private static IEnumerable<(string Option, string Text)> Changes(string option, string[]? texts)
        => (texts ?? []).SelectMany(text => text.Split(',', StringSplitOptions.TrimEntries)).Select(text => (option, text));

    private static int AddressBits(string? text)
    {
        long bits = OptionText.Count("--physical-bits", text, minimum: 32) ?? DefaultAddressBits;
        return bits <= 52 ? (int)bits : throw CommandException.Usage($"--physical-bits {text}: a physical address has 32 to 52 bits; write one of these");
    }

    private static void CheckOutputs(TracePlace? trace, string? json, string? html)
    {
        if (html == "-")
        {
            throw CommandException.Usage("--html -: standard output is for text and JSON; give the name of a file");
        }

        foreach ((string option, string? file) in new[] { ("--json", json == "-" ? null : json), ("--html", html) })
        {
            if (file is not null && trace is not null && SameFile.Is(trace.Path, file))
            {
                throw CommandException.Usage($"{option} {file} is the trace; give another file");
            }
        }

        if (json is not null and not "-" && html is not null && SameFile.Is(json, html))
        {
            throw CommandException.Usage($"--json and --html both write {json}; give two files");
        }
    }

    private static ReferenceKind Access(string? text) => text switch
    {
        null or "load" => ReferenceKind.Load,
        "store" => ReferenceKind.Store,
        "fetch" => ReferenceKind.Fetch,
        _ => throw CommandException.Usage($"--access {text}: there is no such access; write fetch, load or store"),
    };
}
