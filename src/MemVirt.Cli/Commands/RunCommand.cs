using System.CommandLine;
using MemVirt.Cli.Guests;
using MemVirt.Cpu.Spaces;

namespace MemVirt.Cli.Commands;

/// <summary><c>memvirt run</c>: its options and their checks.</summary>
internal static class RunCommand
{
    public static Command Create(CommandContext context)
    {
        var guest = new GuestOptionSet();
        var regime = new Option<string?>("--regime") { HelpName = "REGIME", Description = "native, shadow, ept or npt (default: native)." };
        var log = new Option<string?>("--log") { HelpName = "WHAT", Description = "unimplemented: list the instructions that are not implemented." };
        var most = new Option<string?>("--max-instructions") { HelpName = "N", Description = "Stop after N instructions." };
        var json = new Option<string?>("--json") { HelpName = "FILE|-", Description = "Write what the guest did as JSON to a file, or to standard output (the console then goes to standard error)." };
        var realTime = new Option<bool>("--real-time") { Description = "Keep virtual time to the clock; without it a run repeats instruction for instruction." };
        var command = new Command(
            "run", "Boot a guest on the software processor, its serial console on the terminal (Ctrl-] x leaves).");
        guest.AddTo(command);
        foreach (Option option in (Option[])[regime, log, most, json, realTime])
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed =>
        {
            GuestRequest asked = guest.Read(parsed)
                ?? throw CommandException.Usage("run: name a guest with --kernel FILE (a Linux bzImage) or --image FILE (a Multiboot image)");
            string name = parsed.GetValue(regime) ?? "native";
            GuestRegime chosen = name switch
            {
                "native" => GuestRegime.Native,
                "shadow" => GuestRegime.Shadow,
                "ept" => GuestRegime.Ept,
                "npt" => GuestRegime.Npt,
                _ => throw CommandException.Usage($"--regime {name}: there are native, shadow, ept and npt"),
            };
            string? logged = parsed.GetValue(log);
            if (logged is not (null or "unimplemented"))
            {
                throw CommandException.Usage($"--log {logged}: there is unimplemented");
            }

            return GuestRunner.Run(
                new RunRequest(
                    asked, chosen, name, parsed.GetValue(realTime), logged is not null,
                    OptionText.Count("--max-instructions", parsed.GetValue(most), minimum: 1), parsed.GetValue(json)),
                context);
        });
        return command;
    }
}
