using MemVirt.Native.Guests;

namespace MemVirt.Native.Probes;

/// <summary>A probe, what the engine says of it, and what the guest did.</summary>
internal readonly struct ProbeOutcome(
    in Probe probe, in ProbeTables tables, ProbeExpectation expected, in EntryBits expectedEntries, GuestReport observed,
    in EntryBits observedEntries)
{
    internal readonly Probe Probe = probe;
    internal readonly ProbeTables Tables = tables;
    internal readonly ProbeExpectation Expected = expected;
    internal readonly GuestReport Observed = observed;
    internal readonly EntryBits ExpectedEntries = expectedEntries;
    internal readonly EntryBits ObservedEntries = observedEntries;

    /// <summary>
    /// Error code, CR2 and entries are as the engine has them. After a fault A bits are not compared: the processor may set them on
    /// the way (Intel SDM Vol. 3A §4.8).
    /// </summary>
    internal bool Agrees
    {
        get
        {
            if (Expected.Succeeds)
            {
                return Observed.Succeeded && EntriesAgree(ignored: 0);
            }

            return Observed.Faulted
                   && Observed.ErrorCode == Expected.ErrorCode
                   && Observed.Cr2 == Tables.Address
                   && EntriesAgree(Probe.Accessed);
        }
    }

    private bool EntriesAgree(ulong ignored)
    {
        ulong difference = 0;
        for (int level = 0; level < EntryBits.Levels; level++)
        {
            difference |= ExpectedEntries[level] ^ ObservedEntries[level];
        }

        return (difference & ~ignored) == 0;
    }
}
