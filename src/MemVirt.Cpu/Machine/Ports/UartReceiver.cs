namespace MemVirt.Cpu.Machine.Ports;

/// <summary>
/// The 16550's receiver: one character, or a FIFO of 16 with a trigger level. Characters carry no parity or framing errors.
/// </summary>
internal sealed class UartReceiver
{
    private const int FifoBytes = 16;
    private readonly FixedQueue<byte> _fifo = new(FifoBytes);
    private byte _last;
    private int _trigger = 1;

    /// <summary>FCR bit 0. A change empties the receiver.</summary>
    internal bool IsFifo { get; private set; }

    /// <summary>LSR's DR: a character waits.</summary>
    internal bool HasData => _fifo.Count != 0;

    /// <summary>LSR's OE: a character was lost for want of room. Whoever reads LSR clears it.</summary>
    internal bool HasOverrun { get; set; }

    /// <summary>As many characters wait as ask for an interrupt at once.</summary>
    internal bool IsTriggered => _fifo.Count >= (IsFifo ? _trigger : 1);

    internal int Free => IsFifo ? _fifo.Free : 1 - _fifo.Count;

    /// <summary>A write of FCR: enable in bit 0, reset in bit 1, the trigger level in bits 7:6.</summary>
    internal void Configure(byte fifoControl)
    {
        bool isFifo = (fifoControl & 0x01) != 0;
        if (isFifo != IsFifo || (fifoControl & 0x02) != 0)
        {
            _fifo.Clear();
        }

        IsFifo = isFifo;
        if (isFifo)
        {
            _trigger = (fifoControl >> 6) switch { 0 => 1, 1 => 4, 2 => 8, _ => 14 };
        }
    }

    /// <summary>A character from the wire. Without room it is an overrun: a FIFO keeps what it has, a single register does not.</summary>
    internal void Add(byte character)
    {
        if (Free == 0)
        {
            HasOverrun = true;
            if (IsFifo)
            {
                return;
            }

            _fifo.Clear();
        }

        _fifo.TryAdd(character);
    }

    /// <summary>RBR: the oldest character; of an empty receiver, the last one read.</summary>
    internal byte Take()
    {
        if (HasData)
        {
            _last = _fifo.Take();
        }

        return _last;
    }
}
