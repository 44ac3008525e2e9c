namespace MemVirt.Cli.Recording;

/// <summary>Finds programs as a shell would, so that a missing one is told in a line of ours.</summary>
internal static class Executables
{
    private const UnixFileMode AnyExecute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    public static string FindValgrind() => Find("valgrind") ?? throw CommandException.Failure(
        "valgrind is not installed, and recording needs it; install it, for example with `apt-get install valgrind`");

    public static void RequireProgram(string program)
    {
        if (program.StartsWith('-'))
        {
            throw CommandException.Usage($"{program} is no program; write memvirt record -o FILE.mvt -- COMMAND [ARG ...]");
        }

        if (Find(program) is null)
        {
            throw CommandException.Failure($"{program}: no such program, or not executable; check the name, or give its path");
        }
    }

    private static string? Find(string program)
    {
        if (program.Contains('/', StringComparison.Ordinal))
        {
            return IsExecutable(program) ? program : null;
        }

        string folders = Environment.GetEnvironmentVariable("PATH") ?? "";
        return folders.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(IsExecutable);
    }

    private static bool IsExecutable(string path)
        => File.Exists(path) && (OperatingSystem.IsWindows() || (File.GetUnixFileMode(path) & AnyExecute) != 0);
}
