namespace MemVirt.Cli.Walks;

/// <summary>Explains one access under each regime: every reference of the walk with its address, entry, level and stage.</summary>
internal static class WalkReport
{
    public static int Write(WalkRequest request, CommandContext context)
        => throw CommandException.Failure("walk is not built yet");
}
