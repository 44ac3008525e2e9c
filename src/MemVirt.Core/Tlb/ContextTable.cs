using System.Diagnostics;

namespace MemVirt.Core.Tlb;

/// <summary>
/// Gives each (VPID or ASID, PCID) a small number that fits a tag, and a new one when it is flushed: entries under the old number
/// can never be found again, so a flush costs the same whatever the size of the TLB. No call allocates.
/// </summary>
public sealed class ContextTable
{
    /// <summary>Contexts that can be known at one time; one more forgets them all.</summary>
    public const int Capacity = 1 << 10;

    private const int Slots = Capacity * 2;
    private readonly uint[] _keys = new uint[Slots];
    private readonly uint[] _numbers = new uint[Slots];
    private int _known;
    private uint _lastNumber;

    /// <summary>
    /// Whether numbers have been started over: the caller then clears every structure tagged with them, and acknowledges by
    /// <see cref="AcknowledgeRestart"/>.
    /// </summary>
    public bool Restarted { get; private set; }

    /// <summary>The number of a context, from 1 to <see cref="TlbTag.MaxContext"/>.</summary>
    public uint NumberOf(ushort virtualProcessor, ushort processContext)
    {
        int slot = Find(Key(virtualProcessor, processContext));
        if (_keys[slot] != 0)
        {
            return _numbers[slot];
        }

        if (_known == Capacity)
        {
            ForgetAll();
            slot = Find(Key(virtualProcessor, processContext));
        }

        uint number = NextNumber();
        slot = Find(Key(virtualProcessor, processContext));
        _known++;
        _keys[slot] = Key(virtualProcessor, processContext);
        return _numbers[slot] = number;
    }

    /// <summary>Forgets a context: it has another number when it is next asked for.</summary>
    public void Forget(ushort virtualProcessor, ushort processContext)
    {
        int slot = Find(Key(virtualProcessor, processContext));
        if (_keys[slot] != 0)
        {
            // The slot stays, so that no probe sequence breaks; only its number changes.
            uint number = NextNumber();
            slot = Find(Key(virtualProcessor, processContext));
            _numbers[slot] = number;
        }
    }

    /// <summary>Forgets every context of a VPID or ASID. Cost: one pass over the table.</summary>
    public void ForgetVirtualProcessor(ushort virtualProcessor)
    {
        for (int slot = 0; slot < Slots; slot++)
        {
            if (_keys[slot] != 0 && (_keys[slot] - 1) >> 12 == virtualProcessor)
            {
                _numbers[slot] = NextNumber();
            }
        }
    }

    /// <summary>Forgets every context.</summary>
    public void ForgetAll()
    {
        Array.Clear(_keys);
        _known = 0;
    }

    /// <summary>The structures have been cleared.</summary>
    public void AcknowledgeRestart() => Restarted = false;

    private static uint Key(ushort virtualProcessor, ushort processContext)
    {
        Debug.Assert(processContext <= Access.PagingContext.MaxProcessContext, "A PCID has 12 bits.");
        return (((uint)virtualProcessor << 12) | processContext) + 1;
    }

    private int Find(uint key)
    {
        int slot = (int)((key * 0x9E3779B1u) >> 21);
        while (_keys[slot] != 0 && _keys[slot] != key)
        {
            slot = (slot + 1) & (Slots - 1);
        }

        return slot;
    }

    private uint NextNumber()
    {
        if (_lastNumber == TlbTag.MaxContext)
        {
            ForgetAll();
            Restarted = true;
            _lastNumber = 0;
        }

        return ++_lastNumber;
    }
}
