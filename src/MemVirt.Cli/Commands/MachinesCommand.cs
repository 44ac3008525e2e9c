using System.CommandLine;
using System.Text;
using MemVirt.Cli.Rendering;
using MemVirt.Simulation.Machines;

namespace MemVirt.Cli.Commands;

/// <summary><c>memvirt machines</c>: the presets, or one of them as a machine file to edit.</summary>
internal static class MachinesCommand
{
    public static Command Create(CommandContext context)
    {
        var name = new Argument<string?>("NAME")
        {
            Arity = ArgumentArity.ZeroOrOne,
            Description = "Print this preset as a machine file; without it, list the presets.",
        };
        var command = new Command("machines", "List the machine presets, or print one as a machine file to edit.") { name };
        command.SetAction(parsed => Run(parsed.GetValue(name), context));
        return command;
    }

    private static int Run(string? name, CommandContext context)
    {
        if (name is null)
        {
            MachineList.Write(MachinePresets.Names.Select(MachinePresets.Load), context);
            return ExitCodes.Success;
        }

        if (!MachinePresets.Names.Contains(name))
        {
            throw CommandException.Usage(
                $"unknown machine '{name}'; the presets are {string.Join(", ", MachinePresets.Names)}");
        }

        context.Output.Write(Encoding.UTF8.GetString(MachinePresets.Json(name).Span));
        return ExitCodes.Success;
    }
}
