namespace MemVirt.Cli.Output;

/// <summary>Which file a path means, links followed.</summary>
internal static class SameFile
{
    public static bool Is(string first, string second) => Resolve(first) == Resolve(second);

    public static string Resolve(string path)
    {
        string full = Path.GetFullPath(path);
        try
        {
            return File.Exists(full) ? File.ResolveLinkTarget(full, returnFinalTarget: true)?.FullName ?? full : full;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return full;
        }
    }
}
