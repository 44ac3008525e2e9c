using System.Diagnostics.Metrics;
using MemVirt.Core.Faults;

namespace MemVirt.Core.Diagnostics;

/// <summary>
/// Counts what one MMU does, for tools that listen to <see cref="Meter"/>s (<c>dotnet-counters monitor --counters MemVirt.Core</c>,
/// OpenTelemetry): translations that hit and miss, completed walks, faults and invalidations, each with the tag <c>mmu</c>.
/// </summary>
/// <remarks>
/// <para>Attach it by <see cref="Mmu{TSource}.Meter"/>. While nobody listens a hit costs what it costs without a meter, and nothing is
/// counted. Who listens is asked at walks and invalidations: counting begins with the first of them after a listener came. While somebody
/// listens, nothing enters the front, so that every access is seen.</para>
/// <para>Counts are kept by the MMU's thread and read by any.</para>
/// </remarks>
public sealed class MmuMeter : IDisposable
{
    /// <summary>The name under which the counters are found.</summary>
    public const string Name = "MemVirt.Core";

    private static readonly Lock _gate = new();
    private static readonly List<MmuMeter> _attached = [];
    private static readonly Meter _meter = new(Name);
    private static readonly ObservableCounter<long>[] _counters =
    [
        Counter("memvirt.mmu.hits", "{translation}", "Translations found in the TLB.", meter => meter._hits),
        Counter("memvirt.mmu.misses", "{translation}", "Translations not found in the TLB.", meter => meter._misses),
        Counter("memvirt.mmu.walks", "{walk}", "Walks that ended in a translation.", meter => meter._walks),
        Counter("memvirt.mmu.faults", "{fault}", "Accesses that faulted, in either stage.", meter => meter._faults),
        Counter("memvirt.mmu.invalidations", "{invalidation}", "Invalidations of any scope.", meter => meter._invalidations),
    ];

    private readonly KeyValuePair<string, object?> _tag;
    private long _hits;
    private long _misses;
    private long _walks;
    private long _faults;
    private long _invalidations;

    /// <summary>A meter whose counts carry a name.</summary>
    /// <param name="mmu">What tells this MMU from others, such as the virtual processor's number.</param>
    public MmuMeter(string mmu)
    {
        ArgumentNullException.ThrowIfNull(mmu);
        _tag = new KeyValuePair<string, object?>("mmu", mmu);
        lock (_gate)
        {
            _attached.Add(this);
        }
    }

    /// <summary>Whether anybody listens to any of the counters. A few loads.</summary>
    internal static bool IsListened
    {
        get
        {
            foreach (ObservableCounter<long> counter in _counters)
            {
                if (counter.Enabled)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Its counts are no longer reported.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _attached.Remove(this);
        }
    }

    internal void CountHit() => _hits++;

    internal void CountMiss(TranslationStatus status)
    {
        bool isFault = status != TranslationStatus.Ok;
        _misses++;
        _walks += isFault ? 0 : 1;
        _faults += isFault ? 1 : 0;
    }

    internal void CountInvalidation() => _invalidations++;

    private static ObservableCounter<long> Counter(string name, string unit, string description, Func<MmuMeter, long> count)
        => _meter.CreateObservableCounter(name, () => Measure(count), unit, description);

    private static List<Measurement<long>> Measure(Func<MmuMeter, long> count)
    {
        lock (_gate)
        {
            return [.. _attached.Select(meter => new Measurement<long>(count(meter), meter._tag))];
        }
    }
}
