using System.Diagnostics;
using MemVirt.Core.Access;
using MemVirt.Core.Sources;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Engine;

/// <summary>One regime on one machine, fed with references.</summary>
internal abstract class RegimeSimulation(RegimeHardware hardware)
{
    /// <summary>Bits of a context number that hold the PCID; VPID or ASID stands above.</summary>
    internal const int PcidBits = 12;

    internal RegimeHardware Hardware { get; } = hardware;

    /// <summary>References since the warm-up.</summary>
    internal long References { get; private protected set; }

    /// <summary>Instruction fetches since the warm-up.</summary>
    internal long Fetches { get; private protected set; }

    /// <summary>References since the warm-up whose bytes lie in two pages.</summary>
    internal long Crossings { get; private protected set; }

    /// <summary>Time spent on batches, their stripping and the warm-up included, in <see cref="Stopwatch"/> ticks.</summary>
    internal long Ticks { get; private protected set; }

    /// <summary>References simulated, the warm-up included.</summary>
    internal long Simulated { get; private protected set; }

    /// <summary>Bytes allocated on the managed heap while batches ran.</summary>
    internal long AllocatedBytes { get; private protected set; }

    /// <summary>How references are stripped for this regime; null where none can be left out.</summary>
    internal StripGeometry? StripGeometry { get; } = GeometryOf(hardware);

    /// <summary>Which of a batch's stripped references are this regime's, or −1.</summary>
    internal int Stripping { get; set; } = -1;

    /// <summary>Runs a batch.</summary>
    internal void Run(ReferenceBatch batch)
    {
        long start = Stopwatch.GetTimestamp();
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        StrippedReferences? stripped = Stripping < 0 ? null : batch.Stripped[Stripping];
        MayStrip = stripped is not null;
        int kept = 0;
        for (int i = 0; i < batch.Segments.Length; i++)
        {
            BatchSegment segment = batch.Segments[i];
            StrippedSegment left = stripped is null ? default : stripped.Segments[i];
            Select(segment.Process);
            if (MayStrip)
            {
                RunStripped(batch.Of(segment), stripped!.Kept(kept, left.Kept), stripped.Positions(kept, left.Kept), left.Fetches);
            }
            else
            {
                RunAll(batch.Of(segment));
            }

            kept += left.Kept;
            References += segment.Length;
            Simulated += segment.Length;
            if (segment.EndsWarmup)
            {
                ResetCounters();
            }
            else if (segment.EndsGranule)
            {
                Hardware.Slices?.Read(this);
            }
        }

        AllocatedBytes += GC.GetAllocatedBytesForCurrentThread() - allocated;
        Ticks += Stopwatch.GetTimestamp() - start + (stripped?.Ticks ?? 0);
    }

    /// <summary>Runs references of whatever context is current; who feeds them counts them.</summary>
    /// <param name="references">The references.</param>
    /// <param name="clock">When the simulation fed before ended; set to when this one ends.</param>
    internal void Feed(ReadOnlySpan<MemoryReference> references, ref long clock)
    {
        RunAll(references);
        long now = Stopwatch.GetTimestamp();
        Ticks += now - clock;
        clock = now;
    }

    /// <summary>Runs references of one process, none left out.</summary>
    internal void Run(ReadOnlySpan<MemoryReference> references, int process)
    {
        Select(process);
        RunAll(references);
        References += references.Length;
        Simulated += references.Length;
    }

    /// <summary>
    /// Whether what was stripped of the batch in progress can be left out. An entry that is dropped without an access to its set ends
    /// that, up to the next batch.
    /// </summary>
    private protected bool MayStrip { get; set; }

    /// <summary>Runs every reference of a segment.</summary>
    private protected abstract void RunAll(ReadOnlySpan<MemoryReference> references);

    /// <summary>Runs what is left of a segment; all of it from where <see cref="MayStrip"/> ends.</summary>
    private protected abstract void RunStripped(
        ReadOnlySpan<MemoryReference> references, ReadOnlySpan<MemoryReference> kept, ReadOnlySpan<ushort> positions, int fetches);

    /// <summary>Makes a process the running one.</summary>
    private protected abstract void Select(int process);

    /// <summary>Where the tables lie, for <c>memvirt walk</c>.</summary>
    internal RegimeTables? Tables { get; init; }

    /// <summary>One hardware walk, outside every count but the meter's.</summary>
    internal abstract Translation WalkOnce(ulong address, AccessRights needed);

    /// <summary>Lets software mend the fault of <see cref="WalkOnce"/>, and drops what that asks for.</summary>
    internal abstract void Mend(in Translation fault, ulong address, bool isFetch, bool store);

    /// <summary>The end of the warm-up: counters to 0, contents kept.</summary>
    internal void ResetCounters()
    {
        References = Fetches = Crossings = 0;
        Hardware.L1i.ResetCounts();
        Hardware.L1d.ResetCounts();
        Hardware.L2?.ResetCounts();
        Hardware.WalkCaches?.ResetHits();
        Hardware.NestedCaches?.ResetHits();
        Hardware.NestedTlb?.ResetHits();
        Hardware.DataCaches?.ResetCounts();
        Hardware.Meter.Reset();
        Hardware.Events.Reset();
        Hardware.Slices?.Clear();
    }

    /// <summary>Data caches want every reference, and a level of several structures or none cannot be told in advance.</summary>
    private static StripGeometry? GeometryOf(RegimeHardware hardware)
        => hardware is { DataCaches: null, L1i.OnlyArray: { } fetches, L1d.OnlyArray: { } data }
            ? Engine.StripGeometry.Of(fetches.Geometry, hardware.L1i.OnlySize, data.Geometry, hardware.L1d.OnlySize)
            : null;
}
