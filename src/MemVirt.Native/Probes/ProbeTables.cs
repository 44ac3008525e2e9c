using MemVirt.Native.Guests;

namespace MemVirt.Native.Probes;

/// <summary>Where a probe's tables are, and with that its entries, their addresses and the linear address.</summary>
internal readonly struct ProbeTables
{
    /// <summary>The bytes of the four tables, the PML4 first.</summary>
    internal const ulong LengthBytes = EntryBits.Levels * 4096;
    private readonly ulong _start;
    private readonly int _leafLevel;

    internal ProbeTables(in Probe probe, ulong start)
    {
        _start = start;
        _leafLevel = probe.LeafLevel;
        ulong mask = (1UL << (12 + (9 * _leafLevel))) - 1;
        Address = (probe.BaseAddress & ~mask) | (GuestLayout.Target & mask & ~0xFFFUL) | (probe.BaseAddress & 0xFFF);
    }

    internal ulong Root => _start;

    /// <summary>The linear address that the probe accesses.</summary>
    internal ulong Address { get; }

    /// <summary>The guest-physical address of the walk's entry at a level.</summary>
    internal ulong EntryAddress(int level) => Table(level) + (((Address >> (12 + (9 * level))) & 511) * 8);

    /// <summary>The walk's entry at a level: the probe's bits and the address of the table below or of the target's page.</summary>
    internal ulong Entry(in Probe probe, int level)
        => probe.Entries[level]
           | (level > _leafLevel ? Table(level - 1) : GuestLayout.Target & ~((1UL << (12 + (9 * level))) - 1));

    private ulong Table(int level) => _start + ((ulong)(EntryBits.Levels - 1 - level) * 4096);
}
