using System.Text;
using MemVirt.Simulation;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Examples;

/// <summary>References made by a program instead of read from a trace, on a machine of one's own.</summary>
public static class OwnReferences
{
    private const string Machine = """
        {
          "name": "tiny",
          "tlb": {
            "l1i": [ { "pageSizes": ["4k"], "entries": 16, "ways": 4 } ],
            "l1d": [ { "pageSizes": ["4k"], "entries": 16, "ways": 4 } ],
            "l2": [ { "pageSizes": ["4k"], "entries": 128, "ways": 4, "latency": 7 } ]
          },
          "caches": null,
          "walkReferenceCycles": 20,
          "costs": {
            "baseCpi": 0.7, "overlap": 0.6, "guestFaultCycles": 1000, "contextSwitchCycles": 1500, "exitCycles": 1200,
            "handlerCycles": {
              "guestPageFaults": 400, "secondStageFaults": 1800, "shadowFaults": 2000, "dirtyFaults": 1200,
              "protectedTableWrites": 3000, "unsyncs": 800, "contextSwitches": 600
            }
          }
        }
        """;

    public static void Run(TextWriter output)
    {
        MachineDescription machine = MachineFile.Parse(Encoding.UTF8.GetBytes(Machine), "tiny.json");
        using var stride = new Stride(pages: 1024, rounds: 16);
        var options = new ComparisonOptions { Machines = [machine], Warmup = 2 * 1024 };
        foreach (RegimeResult regime in Comparison.Run([stride], options)[0].Regimes)
        {
            output.WriteLine($"{regime.Regime}: {regime.Walks} walks of {regime.WalkReferences.PerWalk} references");
        }
    }

    /// <summary>A load from each page, round after round: more pages than the TLB holds.</summary>
    private sealed class Stride(int pages, int rounds) : ITraceReader
    {
        private long _next;

        public string Path => "stride";

        public string Format => "made";

        public long? KnownReferences => (long)pages * rounds;

        public double? FractionRead => (double)_next / (pages * rounds);

        public int Read(Span<MemoryReference> destination)
        {
            int count = (int)Math.Min(destination.Length, ((long)pages * rounds) - _next);
            for (int i = 0; i < count; i++)
            {
                destination[i] = new MemoryReference(ReferenceKind.Load, 0x7000_0000_0000 + ((ulong)(_next++ % pages) << 12), sizeBytes: 8);
            }

            return count;
        }

        public void Dispose()
        {
            // Nothing is held.
        }
    }
}
