using System.CommandLine;
using MemVirt.Cli.Rendering;
using MemVirt.Native;
using MemVirt.Native.Kvm;
using Spectre.Console;

namespace MemVirt.Cli.Commands;

/// <summary><c>memvirt verify kvm</c>: the engine against the host's KVM.</summary>
internal static class VerifyKvmCommand
{
    public static Command Create(CommandContext context)
    {
        var defaults = new KvmVerificationOptions();
        var seed = Text("--seed", "N", $"The seed of the probes (default: {defaults.Seed}); the same one gives the same probes.");
        var probes = Text("--probes", "N", $"How many probes to compare (default: {defaults.Probes}).");
        var device = Text("--device", "FILE", $"The KVM device (default: {defaults.DevicePath}).");
        var json = new Option<bool>("--json") { Description = "Write the result as JSON to standard output and nothing else there." };
        var command = new Command(
            "kvm",
            "Run random accesses and shadow-paging experiments in a real guest and compare. "
            + "Exit code 1: the engine deviates; 3: KVM does not work here.")
        {
            seed, probes, device, json,
        };
        command.SetAction(parsed => Run(
            new KvmVerificationOptions
            {
                Seed = OptionText.Count("--seed", parsed.GetValue(seed), minimum: 0) ?? defaults.Seed,
                Probes = OptionText.Count("--probes", parsed.GetValue(probes), minimum: 1) ?? defaults.Probes,
                DevicePath = parsed.GetValue(device) ?? defaults.DevicePath,
            },
            parsed.GetValue(json),
            context));
        return command;
    }

    private static int Run(KvmVerificationOptions options, bool json, CommandContext context)
    {
        KvmVerificationResult result = Verify(options, context);
        if (json)
        {
            context.Output.WriteLine(KvmVerificationJson.Text(result));
        }
        else
        {
            KvmReport.Write(result, context);
        }

        return result.Agrees ? ExitCodes.Success : ExitCodes.Failure;
    }

    private static KvmVerificationResult Verify(KvmVerificationOptions options, CommandContext context)
    {
        long compared = 0;
        try
        {
            if (!context.ErrorIsTerminal)
            {
                return KvmVerification.Run(options, count => Volatile.Write(ref compared, count), context.Cancellation);
            }

            return SpectreTerminal.Create(context.Error, isTerminal: true, context.Width).Status().Start(
                "trying out the host",
                status => KvmVerification.Run(
                    options,
                    count =>
                    {
                        Volatile.Write(ref compared, count);
                        status.Status = NumberText.Line($"{count:N0} of {options.Probes:N0} probes");
                    },
                    context.Cancellation));
        }
        catch (KvmUnavailableException exception)
        {
            throw CommandException.Unavailable(exception.Message);
        }
        catch (TimeoutException exception)
        {
            throw CommandException.Failure(exception.Message, exception);
        }
        catch (OperationCanceledException)
        {
            throw CommandException.Interrupted(NumberText.Line($"stopped after {Volatile.Read(ref compared):N0} probes"));
        }
    }

    private static Option<string?> Text(string name, string helpName, string description)
        => new(name) { HelpName = helpName, Description = description };
}
