namespace MemVirt.Cli.Commands;

/// <summary>Whether two paths name one file, links followed.</summary>
internal static class SameFile
{
    public static bool Is(string first, string second) => Resolve(first) == Resolve(second);

    private static string Resolve(string path)
    {
        try
        {
            return File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? Path.GetFullPath(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Path.GetFullPath(path);
        }
    }
}
