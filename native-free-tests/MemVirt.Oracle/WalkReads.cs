namespace MemVirt.Oracle;

/// <summary>The table reads of one walk. Where they are counted depends on how the walk ends.</summary>
internal sealed class WalkReads(DataCaches? caches, Counts counts)
{
    private long _guest;
    private long _secondStage;
    private long _shadow;

    public void Guest(ulong hpa) => Read(ref _guest, hpa);

    public void SecondStage(ulong hpa) => Read(ref _secondStage, hpa);

    public void Shadow(ulong hpa) => Read(ref _shadow, hpa);

    public void Begin() => _guest = _secondStage = _shadow = 0;

    public void EndCompleted()
    {
        counts[Counter.Walks]++;
        counts[Counter.GuestReads] += _guest;
        counts[Counter.SecondStageReads] += _secondStage;
        counts[Counter.ShadowReads] += _shadow;
        counts[Counter.TotalReads] += _guest + _secondStage + _shadow;
    }

    public void EndFaulted()
    {
        counts[Counter.FaultedWalks]++;
        counts[Counter.FaultedReads] += _guest + _secondStage + _shadow;
    }

    private void Read(ref long count, ulong hpa)
    {
        count++;
        if (caches is not null)
        {
            counts.WalkReadCycles += caches.ReadForWalk(hpa);
        }
    }
}
