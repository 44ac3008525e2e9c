using System.Globalization;

namespace MemVirt.Simulation.Sweeps;

/// <summary>A sweep's rows as comma-separated values (RFC 4180, with line feeds), a header first.</summary>
public static class SweepCsv
{
    private const string Header =
        "point,trace,machine,l2_tlb_entries,guest_pages,host_pages,regime,references,l1i_tlb_misses,l1d_tlb_misses,l2_tlb_misses,walks,"
        + "walk_references,walk_cache_hits,guest_page_faults,exits,base_cycles,tlb_cycles,walk_cycles,fault_cycles,exit_cycles,cycles,"
        + "cycles_per_reference,overhead_vs_native";

    /// <summary>Writes all rows.</summary>
    public static void Write(TextWriter output, SweepResult sweep)
    {
        output.Write(Header + "\n");
        foreach (SweepRow row in sweep.Rows)
        {
            output.Write(string.Create(
                CultureInfo.InvariantCulture,
                $"{row.Point},{Quoted(row.Trace)},{Quoted(row.Machine)},{row.L2TlbEntries},{row.GuestPages},{row.HostPages},{row.Regime},"
                + $"{row.References},{row.L1iTlbMisses},{row.L1dTlbMisses},{row.L2TlbMisses},{row.Walks},{row.WalkReferences},{row.WalkCacheHits},"
                + $"{row.GuestPageFaults},{row.Exits},{row.BaseCycles:R},{row.TlbCycles:R},{row.WalkCycles:R},{row.FaultCycles:R},"
                + $"{row.ExitCycles:R},{row.Cycles:R},{row.CyclesPerReference:R},{row.OverheadVsNative:R}\n"));
        }
    }

    private static string Quoted(string text)
        => text.AsSpan().ContainsAny(",\"\n\r") ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text;
}
