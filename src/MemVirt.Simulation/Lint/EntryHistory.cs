namespace MemVirt.Simulation.Lint;

/// <summary>The values that one entry, or one CR3, has had, each from its time up to the next one's.</summary>
internal sealed class EntryHistory
{
    internal const long Forever = long.MaxValue;
    private readonly List<(long From, ulong Value)> _values = [(0, 0)];

    internal int Count => _values.Count;

    internal ulong Current => _values[^1].Value;

    internal (long From, long Until, ulong Value) this[int version]
        => (_values[version].From, version + 1 < _values.Count ? _values[version + 1].From : Forever, _values[version].Value);

    internal void Set(long time, ulong value)
    {
        if (value != Current)
        {
            _values.Add((time, value));
        }
    }

    /// <summary>The first version that was still there at a time.</summary>
    internal int FirstAt(long time)
    {
        int version = _values.Count - 1;
        while (_values[version].From > time)
        {
            version--;
        }

        return version;
    }
}
