namespace MemVirt.Oracle;

/// <summary>One cached translation: its size, its page's host-physical address, and whether a store may use it.</summary>
internal readonly record struct TlbEntry(int SizeLog2, ulong HostPage, bool StoreOk)
{
    public ulong HostAddress(ulong va) => HostPage + Paging.OffsetIn(va, SizeLog2);
}

/// <summary>One level (L1I, L1D or L2): its structures in the machine file's order.</summary>
internal sealed class TlbLevel
{
    private readonly List<(TlbDescription Description, SetAssociative<TlbEntry> Entries)> _structures = [];

    public TlbLevel(IReadOnlyList<TlbDescription> descriptions)
    {
        foreach (TlbDescription description in descriptions)
        {
            _structures.Add((description, new SetAssociative<TlbEntry>(description.Shape)));
        }
    }

    public bool Exists => _structures.Count > 0;

    /// <summary>
    /// Probes every structure in every size it holds; the first match decides. A store that finds an entry without
    /// store-ok drops it and misses. <paramref name="latency"/> is that of the structure that hit.
    /// </summary>
    public bool TryFind(ulong va, Tag tag, bool store, out TlbEntry entry, out double latency)
    {
        foreach ((TlbDescription description, SetAssociative<TlbEntry> entries) in _structures)
        {
            foreach (int sizeLog2 in description.SizesLog2)
            {
                EntryKey key = KeyOf(va, sizeLog2, tag);
                if (!entries.TryFind(key, out entry))
                {
                    continue;
                }

                latency = description.Latency;
                if (!store || entry.StoreOk)
                {
                    return true;
                }

                entries.Drop(key);
                return false;
            }
        }

        entry = default;
        latency = 0;
        return false;
    }

    /// <summary>Enters the translation at its own size, or the accessed piece of it at the largest smaller size held.</summary>
    public void Fill(ulong va, Tag tag, TlbEntry entry)
    {
        for (int sizeLog2 = entry.SizeLog2; sizeLog2 >= 12; sizeLog2 -= 9)
        {
            foreach ((TlbDescription description, SetAssociative<TlbEntry> entries) in _structures)
            {
                if (description.SizesLog2.Contains(sizeLog2))
                {
                    ulong hostPiece = Paging.PageBase(entry.HostAddress(va), sizeLog2);
                    entries.Fill(KeyOf(va, sizeLog2, tag), new TlbEntry(sizeLog2, hostPiece, entry.StoreOk));
                    return;
                }
            }
        }
    }

    /// <summary>Drops what translates this address, in all sizes and all structures.</summary>
    public void Drop(ulong va, Tag tag)
    {
        foreach ((TlbDescription description, SetAssociative<TlbEntry> entries) in _structures)
        {
            foreach (int sizeLog2 in description.SizesLog2)
            {
                entries.Drop(KeyOf(va, sizeLog2, tag));
            }
        }
    }

    public void Flush()
    {
        foreach ((_, SetAssociative<TlbEntry> entries) in _structures)
        {
            entries.Flush();
        }
    }

    private static EntryKey KeyOf(ulong va, int sizeLog2, Tag tag) => new((va & Paging.AddressMask) >> sizeLog2, sizeLog2, tag);
}

/// <summary>The three levels together, where faults and flushes reach all of them.</summary>
internal sealed class Tlbs(MachineDescription machine)
{
    public TlbLevel L1Instruction { get; } = new(machine.L1Instruction);

    public TlbLevel L1Data { get; } = new(machine.L1Data);

    public TlbLevel L2 { get; } = new(machine.L2);

    public void Drop(ulong va, Tag tag)
    {
        L1Instruction.Drop(va, tag);
        L1Data.Drop(va, tag);
        L2.Drop(va, tag);
    }

    public void Flush()
    {
        L1Instruction.Flush();
        L1Data.Flush();
        L2.Flush();
    }
}
