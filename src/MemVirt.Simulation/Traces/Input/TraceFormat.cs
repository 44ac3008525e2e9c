namespace MemVirt.Simulation.Traces.Input;

/// <summary>Tells a trace's format by its first bytes, and a ChampSim trace, which has none of its own, by its name as well.</summary>
internal static class TraceFormat
{
    private static readonly string[] s_champSimEndings =
        [".champsimtrace", ".champsim", ".trace.xz", ".trace.gz", ".trace.zst", ".trace.br"];

    /// <summary>A reader for the content of a trace, which it owns.</summary>
    public static ITraceReader CreateReader(TraceInput input, PeekStream content, bool isCompressed)
    {
        ReadOnlySpan<byte> head = content.Peek();
        if (head.StartsWith(MvtMagic))
        {
            return new MvtReader(input, content, isCompressed);
        }

        if (IsChampSimName(input.TracePath) && !IsText(head))
        {
            return new ChampSimReader(input, content);
        }

        return input.TracePath.EndsWith(".mvt", StringComparison.OrdinalIgnoreCase) && !IsText(head)
            ? throw new TraceException(
                $"{input.TracePath}: is damaged at offset 0, or no .mvt file: it does not begin as one; record or convert the trace again")
            : new LackeyReader(input, content);
    }

    private static ReadOnlySpan<byte> MvtMagic => Mvt.MvtFormat.FileMagic;

    private static bool IsChampSimName(string path)
    {
        string name = System.IO.Path.GetFileName(path);
        return name.Contains("champsim", StringComparison.OrdinalIgnoreCase)
            || Array.Exists(s_champSimEndings, ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Text has no bytes over 0x7E, while the top bytes of a canonical address are 0 or 0xFF.</summary>
    private static bool IsText(ReadOnlySpan<byte> head)
        => !head.ContainsAnyExceptInRange((byte)'\t', (byte)'~');
}
