using System.CommandLine;
using System.CommandLine.Parsing;
using MemVirt.Cli.Commands;
using MemVirt.Cli.Output;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Sweeps;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli;

/// <summary>Parses a command line and runs it. Whatever goes wrong ends as one line on standard error and an exit code.</summary>
internal static class CommandLineEntry
{
    public static int Run(IReadOnlyList<string> args, CommandContext context)
    {
        try
        {
            int exitCode = Invoke(args, context);
            context.Output.Flush();
            return exitCode;
        }
        catch (OperationCanceledException)
        {
            return Fail(context, context.Status.Interrupted(), ExitCodes.Interrupted);
        }
        catch (CommandException exception)
        {
            return Fail(context, exception.Message, exception.ExitCode);
        }
        catch (Exception exception) when (exception
            is TraceException or MachineException or SweepException or OutputException or IOException or UnauthorizedAccessException)
        {
            return Fail(context, exception.Message, ExitCodes.Failure);
        }
        catch (Exception exception) when (Environment.GetEnvironmentVariable("MEMVIRT_STACK_TRACES") is null)
        {
            string message = $"internal error, {exception.GetType().Name}: {exception.Message} "
                + "(please report it, with the stack trace that MEMVIRT_STACK_TRACES=1 shows)";
            return Fail(context, message, ExitCodes.Failure);
        }
    }

    private static int Invoke(IReadOnlyList<string> args, CommandContext context)
    {
        RootCommand root = CommandTree.Create(context);
        ParseResult parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
        if (parsed.Errors.Count > 0 && parsed.Action is not { ClearsParseErrors: true })
        {
            throw CommandException.Usage(Describe(parsed));
        }

        if (MisspeltOption(parsed, args) is { } option)
        {
            throw CommandException.Usage($"unknown option {option} (`{CommandTree.PathOf(parsed.CommandResult)} --help` lists what there is)");
        }

        return parsed.Invoke(new InvocationConfiguration
        {
            Output = context.Output,
            Error = context.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        });
    }

    /// <summary>
    /// An option that does not exist, which the parser would take for an argument; a file whose name begins with a dash is
    /// given after <c>--</c>.
    /// </summary>
    private static string? MisspeltOption(ParseResult parsed, IReadOnlyList<string> args)
    {
        List<string> literal = args.SkipWhile(arg => arg != "--").ToList();
        return parsed.CommandResult.Children
            .OfType<ArgumentResult>()
            .Where(result => !result.Argument.CaptureRemainingTokens)
            .SelectMany(result => result.Tokens)
            .Select(token => token.Value)
            .FirstOrDefault(value => value.Length > 1 && value[0] == '-' && !literal.Contains(value));
    }

    private static string Describe(ParseResult parsed)
    {
        CommandResult result = parsed.CommandResult;
        if (result.Command.Subcommands.Count > 0)
        {
            string names = string.Join(", ", result.Command.Subcommands.Select(command => command.Name));
            string said = result.Tokens.Count == 0 && parsed.UnmatchedTokens.Count > 0
                ? $"there is no command '{parsed.UnmatchedTokens[0]}'"
                : "a command is missing";
            return $"{said}; the commands are {names} (`{CommandTree.PathOf(result)} --help` says more)";
        }

        return $"{parsed.Errors[0].Message.TrimEnd('.')} (`{CommandTree.PathOf(result)} --help` lists what there is)";
    }

    private static int Fail(CommandContext context, string message, int exitCode)
    {
        context.Error.WriteLine("memvirt: " + message.ReplaceLineEndings(" "));
        context.Error.Flush();
        return exitCode;
    }
}
