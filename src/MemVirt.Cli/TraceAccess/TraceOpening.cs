using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.TraceAccess;

/// <summary>The one place where the commands open and write traces through the simulation's readers and writers.</summary>
internal static class TraceOpening
{
    public static ITraceReader Open(string path) => TraceFile.Open(path);

    /// <summary>Opens several traces; where one cannot be, those already open are closed.</summary>
    public static IReadOnlyList<ITraceReader> OpenAll(IReadOnlyList<string> paths)
    {
        var readers = new List<ITraceReader>();
        try
        {
            foreach (string path in paths)
            {
                readers.Add(Open(path));
            }

            return readers;
        }
        catch
        {
            readers.ForEach(reader => reader.Dispose());
            throw;
        }
    }
}
