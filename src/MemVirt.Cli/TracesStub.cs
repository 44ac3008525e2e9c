// Temporary: stands in for the trace readers until their branch is merged. Plain lackey text only.
using System.Globalization;

namespace MemVirt.Simulation.Traces;

internal static class TraceFile
{
    public static ITraceReader Open(string path)
    {
        if (path != "-" && !File.Exists(path))
        {
            throw new TraceException($"{path}: no such file; check the name");
        }

        return new LackeyStub(path == "-" ? Console.OpenStandardInput() : File.OpenRead(path), path);
    }

    public static ITraceReader Open(Stream stream, string name) => new LackeyStub(stream, name);

    public static ITraceReader OpenLackey(Stream stream, string name) => new LackeyStub(stream, name);

    private sealed class LackeyStub(Stream stream, string path) : ITraceReader
    {
        private readonly StreamReader _reader = new(stream);
        private MemoryReference? _second;
        private long _line;

        public string Path => path;

        public string Format => "lackey";

        public long? KnownReferences => null;

        public double? FractionRead => stream.CanSeek && stream.Length > 0 ? (double)stream.Position / stream.Length : null;

        public void Dispose() => _reader.Dispose();

        public int Read(Span<MemoryReference> destination)
        {
            int count = 0;
            while (count < destination.Length)
            {
                if (_second is { } second)
                {
                    destination[count++] = second;
                    _second = null;
                    continue;
                }

                string? line = _reader.ReadLine();
                _line++;
                if (line is null)
                {
                    break;
                }

                if (line.Length == 0 || line.StartsWith("==", StringComparison.Ordinal) || line.StartsWith("--", StringComparison.Ordinal))
                {
                    continue;
                }

                string[] parts = line[2..].Trim().Split(',');
                if (parts.Length != 2 || !ulong.TryParse(parts[0], NumberStyles.AllowHexSpecifier, null, out ulong address))
                {
                    throw new TraceException($"{path}: line {_line} is no lackey line");
                }

                int size = int.Parse(parts[1], CultureInfo.InvariantCulture);
                ReferenceKind kind = line[0] == 'I' ? ReferenceKind.Fetch : line[1] == 'S' ? ReferenceKind.Store : ReferenceKind.Load;
                destination[count++] = new MemoryReference(kind, address, size);
                _second = line[1] == 'M' ? new MemoryReference(ReferenceKind.Store, address, size) : null;
            }

            return count;
        }
    }
}

internal sealed class MvtWriter : IDisposable
{
    private readonly MemVirt.Cli.TraceAccess.LackeySink _sink;

    public MvtWriter(Stream stream) => _sink = new(stream);

    public MvtWriter(Stream stream, int level) => _sink = new(stream);

    public void Append(ReadOnlySpan<MemoryReference> references) => _sink.Append(references);

    public void Complete() => _sink.Complete();

    public void Dispose() => _sink.Dispose();
}

internal sealed class TraceStatistics
{
    private readonly HashSet<ulong> _pages = [];
    public long References { get; set; }
    public long InstructionFetches { get; set; }
    public long Loads { get; set; }
    public long Stores { get; set; }
    public long Crossings { get; set; }
    public long DistinctPages4k => _pages.Count;

    public void Add(ReadOnlySpan<MemoryReference> references)
    {
        References += references.Length;
        foreach (MemoryReference reference in references)
        {
            InstructionFetches += reference.Kind == ReferenceKind.Fetch ? 1 : 0;
            Loads += reference.Kind == ReferenceKind.Load ? 1 : 0;
            Stores += reference.Kind == ReferenceKind.Store ? 1 : 0;
            Crossings += reference.CrossesPage ? 1 : 0;
            _pages.Add(reference.Address >> 12);
            _pages.Add((reference.Address + (ulong)reference.SizeBytes - 1) >> 12);
        }
    }
}
