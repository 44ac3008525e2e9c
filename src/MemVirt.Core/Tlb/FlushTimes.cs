namespace MemVirt.Core.Tlb;

/// <summary>When each of many 16-bit names was last flushed, for as many as were ever; the others never were.</summary>
internal sealed class FlushTimes(int capacity)
{
    private readonly uint[] _names = new uint[capacity * 2];
    private readonly ulong[] _times = new ulong[capacity * 2];
    private int _count;

    /// <summary>Whether there is no room for another name.</summary>
    internal bool IsFull => _count == capacity;

    internal ulong Of(ushort name) => _count == 0 ? 0 : _times[Find(name)];

    internal void Set(ushort name, ulong time)
    {
        int slot = Find(name);
        _count += _names[slot] == 0 ? 1 : 0;
        _names[slot] = name + 1u;
        _times[slot] = time;
    }

    internal void Clear()
    {
        Array.Clear(_names);
        Array.Clear(_times);
        _count = 0;
    }

    private int Find(ushort name)
    {
        int mask = _names.Length - 1;
        int slot = (int)((name * 0x9E37_79B1u) >> 16) & mask;
        while (_names[slot] != 0 && _names[slot] != name + 1u)
        {
            slot = (slot + 1) & mask;
        }

        return slot;
    }
}
