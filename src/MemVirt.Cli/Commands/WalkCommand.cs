using System.CommandLine;
using MemVirt.Cli.Walks;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.Commands;

/// <summary><c>memvirt walk</c>: its options and their checks.</summary>
internal static class WalkCommand
{
    private const string DefaultAddress = "0x7f5a12345678";

    public static Command Create(CommandContext context)
    {
        var gva = Text("--gva", "HEX", $"The guest-virtual address (default: {DefaultAddress}).");
        var access = Text("--access", "KIND", "fetch, load or store (default: load).");
        var regimes = Text("--regimes", "LIST", "Some of native,shadow,ept,npt (default: all).");
        var guestPages = Text("--guest-pages", "SIZE", "The guest's page size: 4k, 2m or 1g (default: 4k).");
        var hostPages = Text("--host-pages", "SIZE", "The VMM's page size: 4k, 2m or 1g (default: 4k).");
        var machine = Text("--machine", "NAME", "A preset or a machine file (default: teaching).");
        var command = new Command("walk", "Explain one access: every reference of its page walk, under each regime.")
        {
            gva, access, regimes, guestPages, hostPages, machine,
        };
        command.SetAction(parsed => WalkReport.Write(
            new WalkRequest(
                OptionText.Address("--gva", parsed.GetValue(gva) ?? DefaultAddress),
                Access(parsed.GetValue(access)),
                OptionText.Regimes(parsed.GetValue(regimes)),
                OptionText.Pages("--guest-pages", parsed.GetValue(guestPages)),
                OptionText.Pages("--host-pages", parsed.GetValue(hostPages)),
                OptionText.Machine(parsed.GetValue(machine) ?? "teaching")),
            context));
        return command;
    }

    private static ReferenceKind Access(string? text) => text switch
    {
        null or "load" => ReferenceKind.Load,
        "store" => ReferenceKind.Store,
        "fetch" => ReferenceKind.Fetch,
        _ => throw CommandException.Usage($"--access {text}: there is no such access; write fetch, load or store"),
    };

    private static Option<string?> Text(string name, string helpName, string description)
        => new(name) { HelpName = helpName, Description = description };
}
