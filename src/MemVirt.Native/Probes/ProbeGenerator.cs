using MemVirt.Core.Access;
using MemVirt.Core.Registers;
using MemVirt.Native.Guests;

namespace MemVirt.Native.Probes;

/// <summary>Makes probes at random, weighted so that a third of them succeed and every rule decides some.</summary>
internal sealed class ProbeGenerator(ulong seed, ProcessorFeatures features, ProbeMasks masks)
{
    private const ulong CacheBits = 0x18;
    private const ulong IgnoredBits = 0x07F0_0000_0000_0E00;
    private const ulong KeyBits = 0x7800_0000_0000_0000;
    private const ulong Global = 1UL << 8;
    private const ulong LargePageAttribute = 1UL << 12;
    private SplitMix _random = new(seed);

    internal Probe Next()
    {
        var probe = new Probe
        {
            Registers = NextRegisters(),
            Access = (MemoryAccess)(1 << _random.Below(3)),
            BaseAddress = NextAddress(),
        };
        for (int level = 0; level < EntryBits.Levels; level++)
        {
            probe.Entries[level] = NextEntry(level);
        }

        return probe;
    }

    private PagingRegisters NextRegisters()
    {
        PagingRegisters registers = Guest.LongMode;
        registers.Cr0 &= _random.Chance(50) ? ~Cr0.WriteProtect : ulong.MaxValue;
        registers.Efer &= _random.Chance(25) ? ~Efer.NoExecuteEnable : ulong.MaxValue;
        registers.Cr4 |= !masks.Smep && _random.Chance(40) ? Cr4.SupervisorExecutionPrevention : 0;
        registers.Cr4 |= !masks.Smap && _random.Chance(40) ? Cr4.SupervisorAccessPrevention : 0;
        registers.CurrentPrivilegeLevel = (byte)(_random.Chance(50) ? 3 : 0);
        registers.AlignmentCheck = registers.CurrentPrivilegeLevel == 0 && _random.Chance(40);
        return registers;
    }

    /// <summary>Canonical, PML4 index 1 to 511; even, and with room for the two bytes that a fetch reads.</summary>
    private ulong NextAddress()
    {
        ulong index = 1 + (ulong)_random.Below(511);
        ulong address = (index << 39) | (_random.Next() & 0x7F_FFFF_FFFE);
        return (ulong)((long)(address << 16) >> 16);
    }

    private ulong NextEntry(int level)
    {
        ulong entry = (_random.Chance(95) ? Probe.Present : 0)
                      | (_random.Chance(85) ? Probe.Writable : 0)
                      | (_random.Chance(80) ? Probe.User : 0)
                      | (_random.Chance(50) ? Probe.Accessed : 0)
                      | (_random.Chance(50) ? Probe.Dirty : 0)
                      | (_random.Chance(8) ? Probe.ExecuteDisable : 0)
                      | (_random.Chance(20) ? _random.Next() & CacheBits : 0)
                      | (_random.Chance(50) ? _random.Next() & (IgnoredBits | KeyBits) : 0);
        entry |= _random.Chance(level switch { 0 => 20, 1 => 25, 2 => 12, _ => 3 }) ? Probe.PageSize : 0;

        // AMD reserves bit 8 of a PML4E, and then nearly every probe would end there.
        entry |= _random.Chance(level == 3 ? 3 : 30) ? Global : 0;
        bool isLarge = level is 1 or 2 && (entry & Probe.PageSize) != 0;
        entry |= isLarge && _random.Chance(25) ? LargePageAttribute : 0;
        return entry | (_random.Chance(4) ? AddressBit(level, isLarge) : 0);
    }

    /// <summary>
    /// A bit that is reserved for certain: an address bit beyond the processor's, or one below the frame of a large page. Where there
    /// is none of the first kind, none.
    /// </summary>
    private ulong AddressBit(int level, bool isLarge)
    {
        if (isLarge && _random.Chance(60))
        {
            return 1UL << (13 + _random.Below(9 * level - 1));
        }

        int bits = features.PhysicalAddressBits;
        return bits < 52 ? 1UL << (bits + _random.Below(52 - bits)) : 0;
    }
}
