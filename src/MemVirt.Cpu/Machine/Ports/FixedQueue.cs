using System.Diagnostics;

namespace MemVirt.Cpu.Machine.Ports;

/// <summary>A first-in, first-out queue of a fixed size. Allocates nothing after construction.</summary>
internal sealed class FixedQueue<TItem>(int capacity)
    where TItem : struct
{
    private readonly TItem[] _items = new TItem[capacity];
    private int _first;

    internal int Count { get; private set; }

    internal int Free => _items.Length - Count;

    /// <summary>Appends; false, with nothing changed, where it is full.</summary>
    internal bool TryAdd(TItem item)
    {
        if (Free == 0)
        {
            return false;
        }

        _items[(_first + Count) % _items.Length] = item;
        Count++;
        return true;
    }

    /// <summary>Removes the oldest. The queue must not be empty.</summary>
    internal TItem Take()
    {
        Debug.Assert(Count != 0, "The queue is empty.");
        TItem item = _items[_first];
        _first = (_first + 1) % _items.Length;
        Count--;
        return item;
    }

    internal void Clear() => Count = 0;
}
