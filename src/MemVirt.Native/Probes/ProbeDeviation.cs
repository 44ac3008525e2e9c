using MemVirt.Core.Registers;

namespace MemVirt.Native.Probes;

/// <summary>One entry of the walk of a deviation.</summary>
/// <param name="Name">PML4E, PDPTE, PDE or PTE.</param>
/// <param name="Address">Its guest-physical address.</param>
/// <param name="Before">The entry before the access.</param>
/// <param name="Engine">The entry as the engine leaves it.</param>
/// <param name="Guest">The entry as the guest leaves it.</param>
public sealed record DeviationEntry(string Name, ulong Address, ulong Before, ulong Engine, ulong Guest);

/// <summary>A probe that the engine and the host's KVM disagree on, made as small as it goes.</summary>
public sealed record ProbeDeviation
{
    private static readonly string[] EntryNames = ["PTE", "PDE", "PDPTE", "PML4E"];

    /// <summary>Its number in the run, from 0: the same seed gives the same probe under the same number.</summary>
    public required long Number { get; init; }

    /// <summary>Read, Write or Fetch.</summary>
    public required string Access { get; init; }

    /// <summary>The linear address.</summary>
    public required ulong Address { get; init; }

    /// <summary>CR0, CR3, CR4, EFER, CPL and AC.</summary>
    public required PagingRegisters Registers { get; init; }

    /// <summary>What the engine says.</summary>
    public required string Engine { get; init; }

    /// <summary>What the guest reported.</summary>
    public required string Guest { get; init; }

    /// <summary>The entries of the walk, from the PML4E down.</summary>
    public required IReadOnlyList<DeviationEntry> Entries { get; init; }

    internal static ProbeDeviation Of(long number, in ProbeOutcome outcome)
    {
        var entries = new List<DeviationEntry>();
        for (int level = EntryBits.Levels - 1; level >= outcome.Probe.LeafLevel; level--)
        {
            entries.Add(new DeviationEntry(
                EntryNames[level], outcome.Tables.EntryAddress(level), outcome.Tables.Entry(in outcome.Probe, level),
                outcome.ExpectedEntries[level], outcome.ObservedEntries[level]));
        }

        return new ProbeDeviation
        {
            Number = number,
            Access = outcome.Probe.Access.ToString(),
            Address = outcome.Tables.Address,
            Registers = outcome.Probe.Registers with { Cr3 = outcome.Tables.Root },
            Engine = outcome.Expected.ToString(),
            Guest = outcome.Observed.ToString(),
            Entries = entries,
        };
    }
}
