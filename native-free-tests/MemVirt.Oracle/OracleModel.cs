namespace MemVirt.Oracle;

/// <summary>The comparison's model, written a second time and as literally as possible, to hold the engine's against.</summary>
public static class OracleModel
{
    /// <summary>
    /// Runs the processes round-robin. The result is keyed by the path of each number within one element of the
    /// result's <c>regimes</c>, <c>tlb.l1i.hits</c> for example.
    /// </summary>
    public static IReadOnlyDictionary<string, double> Run(
        IReadOnlyList<IReadOnlyList<OracleReference>> processes, OracleOptions options)
    {
        ArgumentNullException.ThrowIfNull(processes);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.Quantum, nameof(options));

        MachineDescription machine = new(options.MachineJson);
        Counts counts = new();
        Tlbs tlbs = new(machine);
        GuestSystem guest = new(Paging.ParseSize(options.GuestPages), counts);
        IRegime regime = MakeRegime(options, machine, guest, tlbs, counts);
        DataCaches? caches = machine.Caches is null ? null : new DataCaches(machine);
        Translator translator = new(regime, tlbs, new WalkReads(caches, counts), counts);

        Process[] guestProcesses = [.. processes.Select((_, index) => guest.StartProcess(pcid: index + 1))];
        Process? running = null;
        long done = 0;
        foreach ((int index, OracleReference reference) in Schedule(processes, options))
        {
            if (running != guestProcesses[index])
            {
                counts[Counter.ContextSwitches] += running is null ? 0 : 1;
                running = guestProcesses[index];
                regime.LoadCr3(running);
            }

            Refer(running, reference, translator, caches, counts);
            done++;
            if (done == options.Warmup)
            {
                counts.Reset();
            }
        }

        if (done < options.Warmup)
        {
            counts.Reset();
        }

        Dictionary<string, double> result = counts.ToDictionary();
        Cycles.AddTo(result, counts, machine, regime.Exits);
        return result;
    }

    private static IRegime MakeRegime(
        OracleOptions options, MachineDescription machine, GuestSystem guest, Tlbs tlbs, Counts counts)
    {
        int hostSizeLog2 = Paging.ParseSize(options.HostPages);
        int smaller = Math.Min(guest.PageSizeLog2, hostSizeLog2);
        return options.Regime switch
        {
            "native" => new GuestWalkRegime(guest, nested: null, guest.PageSizeLog2, machine, tlbs, counts),
            "ept" or "npt" => new GuestWalkRegime(
                guest, new NestedStage(hostSizeLog2, machine, counts), smaller, machine, tlbs, counts),
            "shadow" => new ShadowRegime(guest, hostSizeLog2, machine, tlbs, counts),
            _ => throw new ArgumentException($"regime '{options.Regime}' is not native, shadow, ept or npt"),
        };
    }

    /// <summary>The references in the order they run, each with its process's index.</summary>
    private static IEnumerable<(int Process, OracleReference Reference)> Schedule(
        IReadOnlyList<IReadOnlyList<OracleReference>> processes, OracleOptions options)
    {
        int[] next = new int[processes.Count];
        long left = Math.Min(options.References ?? long.MaxValue, processes.Sum(process => (long)process.Count));
        while (left > 0)
        {
            for (int process = 0; process < processes.Count; process++)
            {
                for (long turn = 0; turn < options.Quantum && left > 0 && next[process] < processes[process].Count; turn++)
                {
                    left--;
                    yield return (process, processes[process][next[process]++]);
                }
            }
        }
    }

    /// <summary>The first byte's translation, and the last byte's page's where that is another 4 KiB page.</summary>
    private static void Refer(
        Process process, OracleReference reference, Translator translator, DataCaches? caches, Counts counts)
    {
        counts[Counter.References]++;
        counts[Counter.InstructionFetches] += reference.Kind == OracleKind.Fetch ? 1 : 0;
        Access(reference.Address);

        ulong lastPage = Paging.PageBase(reference.Address + (ulong)reference.Size - 1, 12);
        if (lastPage != Paging.PageBase(reference.Address, 12))
        {
            Access(lastPage);
        }

        void Access(ulong va)
        {
            ulong hpa = translator.Translate(process, reference.Kind, va);
            if (caches is not null && reference.Kind != OracleKind.Fetch)
            {
                counts.DataCyclesBeyondL1 += caches.ReadForData(hpa) - caches.L1Latency;
            }
        }
    }
}
