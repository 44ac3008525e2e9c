namespace MemVirt.Cli;

/// <summary>A command cannot go on: one line for the user and the exit code that goes with it.</summary>
internal sealed class CommandException : Exception
{
    private CommandException(string message, int exitCode, Exception? inner = null) : base(message, inner) => ExitCode = exitCode;

    public int ExitCode { get; }

    /// <summary>The command line is wrong.</summary>
    public static CommandException Usage(string message) => new(message, ExitCodes.Usage);

    /// <summary>An input is wrong, or the host failed.</summary>
    public static CommandException Failure(string message, Exception? inner = null) => new(message, ExitCodes.Failure, inner);

    /// <summary>The host lacks what the command is about.</summary>
    public static CommandException Unavailable(string message) => new(message, ExitCodes.Unavailable);

    /// <summary>Ctrl-C, with what has been done until then.</summary>
    public static CommandException Interrupted(string message) => new(message, ExitCodes.Interrupted);
}
