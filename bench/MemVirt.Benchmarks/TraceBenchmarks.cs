using System.Globalization;
using System.Text;
using BenchmarkDotNet.Attributes;
using MemVirt.Simulation.Traces;

namespace MemVirt.Benchmarks;

/// <summary>Reading a trace of a compiler, a reference: from the binary format, and from lackey's text, also line by line.</summary>
[MemoryDiagnoser]
public class TraceBenchmarks
{
    private const int References = 2_000_000;
    private readonly MemoryReference[] _batch = new MemoryReference[8192];
    private byte[] _mvt = [];
    private byte[] _lackey = [];

    [GlobalSetup]
    public void Setup()
    {
        MemoryReference[] references = Traces.Load("compile", References);
        var content = new MemoryStream();
        using (var writer = new MvtWriter(content, leaveOpen: true))
        {
            writer.Append(references);
            writer.Complete();
        }

        _mvt = content.ToArray();
        var text = new StringBuilder();
        foreach (MemoryReference reference in references)
        {
            string kind = reference.Kind switch { ReferenceKind.Fetch => "I  ", ReferenceKind.Store => " S ", _ => " L " };
            text.Append(CultureInfo.InvariantCulture, $"{kind}{reference.LinearAddress48:x8},{reference.SizeBytes}\n");
        }

        _lackey = Encoding.ASCII.GetBytes(text.ToString());
    }

    [Benchmark(OperationsPerInvoke = References)]
    public int Mvt() => Drain(TraceFile.Open("compile.mvt", new MemoryStream(_mvt)));

    [Benchmark(OperationsPerInvoke = References)]
    public int Lackey() => Drain(TraceFile.OpenLackey("compile.lackey", new MemoryStream(_lackey)));

    /// <summary>Lines as strings, numbers by the base class library, nothing checked.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = References)]
    public int LackeyByLines()
    {
        using var text = new StreamReader(new MemoryStream(_lackey));
        int total = 0;
        while (text.ReadLine() is { } line)
        {
            int comma = line.IndexOf(',', StringComparison.Ordinal);
            ulong address = ulong.Parse(line.AsSpan(3, comma - 3), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            int size = int.Parse(line.AsSpan(comma + 1), CultureInfo.InvariantCulture);
            ReferenceKind kind = line[0] == 'I' ? ReferenceKind.Fetch : line[1] == 'S' ? ReferenceKind.Store : ReferenceKind.Load;
            _batch[total++ % _batch.Length] = new MemoryReference(kind, address, size);
        }

        return total;
    }

    private int Drain(ITraceReader reader)
    {
        using (reader)
        {
            int total = 0;
            for (int read = reader.Read(_batch); read > 0; read = reader.Read(_batch))
            {
                total += read;
            }

            return total == References ? total : throw new InvalidOperationException($"{total} of {References} references were read.");
        }
    }
}
