namespace MemVirt.Cli.Consoles;

/// <summary>A bounded queue of bytes between two threads.</summary>
/// <param name="capacity">The most it holds.</param>
internal sealed class ByteQueue(int capacity)
{
    private readonly byte[] _bytes = new byte[capacity];
    private readonly object _changing = new();
    private int _first;
    private int _count;
    private bool _closed;

    /// <summary>Adds what there is room for, and returns how many bytes that was.</summary>
    internal int Add(ReadOnlySpan<byte> bytes)
    {
        lock (_changing)
        {
            int added = Math.Min(bytes.Length, capacity - _count);
            for (int i = 0; i < added; i++)
            {
                _bytes[(_first + _count + i) % capacity] = bytes[i];
            }

            Volatile.Write(ref _count, _count + added);
            return added;
        }
    }

    /// <summary>Adds all, waiting for room; false where the queue was closed meanwhile.</summary>
    internal bool AddAll(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[Add(bytes)..];
            lock (_changing)
            {
                while (!_closed && _count == capacity)
                {
                    Monitor.Wait(_changing);
                }

                if (_closed)
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>Takes what is there and fits, without waiting.</summary>
    internal int Take(Span<byte> into)
    {
        if (Volatile.Read(ref _count) == 0)
        {
            return 0;
        }

        lock (_changing)
        {
            int taken = Math.Min(into.Length, _count);
            for (int i = 0; i < taken; i++)
            {
                into[i] = _bytes[(_first + i) % capacity];
            }

            _first = (_first + taken) % capacity;
            _count -= taken;
            Monitor.PulseAll(_changing);
            return taken;
        }
    }

    /// <summary>Nobody takes any more.</summary>
    internal void Close()
    {
        lock (_changing)
        {
            _closed = true;
            Monitor.PulseAll(_changing);
        }
    }
}
