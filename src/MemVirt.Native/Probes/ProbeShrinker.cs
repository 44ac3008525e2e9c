using MemVirt.Core.Registers;
using MemVirt.Native.Guests;

namespace MemVirt.Native.Probes;

/// <summary>Makes a deviation small: takes away whatever it shows without, bit by bit, as long as something can be taken away.</summary>
internal static class ProbeShrinker
{
    /// <summary>The smallest probe that still deviates; where the deviation does not come again, the outcome as it was.</summary>
    internal static ProbeOutcome Shrink(in ProbeOutcome deviation, Func<Probe, ProbeOutcome> run)
    {
        ProbeOutcome smallest = run(deviation.Probe);
        if (smallest.Agrees)
        {
            return deviation;
        }

        bool again = true;
        while (again)
        {
            again = false;
            foreach (Probe simpler in Simpler(smallest.Probe))
            {
                ProbeOutcome outcome = run(simpler);
                if (!outcome.Agrees)
                {
                    smallest = outcome;
                    again = true;
                    break;
                }
            }
        }

        return smallest;
    }

    /// <summary>Every probe that is one step nearer to a plain one. Each step is final, so that shrinking ends.</summary>
    private static IEnumerable<Probe> Simpler(Probe probe)
    {
        PagingRegisters plain = Guest.LongMode;
        PagingRegisters registers = probe.Registers;
        if (registers.Cr0 != plain.Cr0)
        {
            yield return probe with { Registers = registers with { Cr0 = plain.Cr0 } };
        }

        if (registers.Efer != plain.Efer)
        {
            yield return probe with { Registers = registers with { Efer = plain.Efer } };
        }

        if (registers.AlignmentCheck)
        {
            yield return probe with { Registers = registers with { AlignmentCheck = false } };
        }

        for (ulong rest = registers.Cr4 & ~plain.Cr4; rest != 0; rest &= rest - 1)
        {
            yield return probe with { Registers = registers with { Cr4 = registers.Cr4 & ~(rest & (0 - rest)) } };
        }

        for (int level = EntryBits.Levels - 1; level >= 0; level--)
        {
            for (ulong rest = probe.Entries[level] ^ Probe.Plain; rest != 0; rest &= rest - 1)
            {
                Probe simpler = probe;
                simpler.Entries[level] ^= rest & (0 - rest);
                yield return simpler;
            }
        }
    }
}
