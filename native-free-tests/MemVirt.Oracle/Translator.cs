namespace MemVirt.Oracle;

/// <summary>One translation: L1, L2, walk, and again from the start after each fault.</summary>
internal sealed class Translator(IRegime regime, Tlbs tlbs, WalkReads reads, Counts counts)
{
    /// <summary>The host-physical address.</summary>
    public ulong Translate(Process process, OracleKind kind, ulong va)
    {
        counts[Counter.Translations]++;
        while (true)
        {
            if (TryTranslate(process, kind, va, out ulong hpa))
            {
                return hpa;
            }
        }
    }

    /// <summary>One attempt; false after a fault, which is mended by then.</summary>
    private bool TryTranslate(Process process, OracleKind kind, ulong va, out ulong hpa)
    {
        Tag tag = new(process.Pcid, regime.GuestId);
        bool store = kind == OracleKind.Store;
        bool fetch = kind == OracleKind.Fetch;
        TlbLevel l1 = fetch ? tlbs.L1Instruction : tlbs.L1Data;

        if (l1.TryFind(va, tag, store, out TlbEntry entry, out _))
        {
            counts[fetch ? Counter.L1InstructionHits : Counter.L1DataHits]++;
            hpa = entry.HostAddress(va);
            return true;
        }

        counts[fetch ? Counter.L1InstructionMisses : Counter.L1DataMisses]++;
        if (tlbs.L2.Exists)
        {
            if (tlbs.L2.TryFind(va, tag, store, out entry, out double latency))
            {
                counts[Counter.L2Hits]++;
                counts.L2TlbCycles += latency;
                l1.Fill(va, tag, entry);
                hpa = entry.HostAddress(va);
                return true;
            }

            counts[Counter.L2Misses]++;
        }

        reads.Begin();
        WalkResult walk = regime.Walk(process, va, store, reads);
        if (walk.End != WalkEnd.Completed)
        {
            reads.EndFaulted();
            regime.HandleFault(process, va, store, walk);
            hpa = 0;
            return false;
        }

        reads.EndCompleted();
        l1.Fill(va, tag, walk.Entry);
        tlbs.L2.Fill(va, tag, walk.Entry);
        hpa = walk.Entry.HostAddress(va);
        return true;
    }
}
