using MemVirt.Core.Tests.Tlb;
using MemVirt.Oracle.Architecture;

namespace MemVirt.Core.Tests.Oracle;

/// <summary>
/// Random tables, registers and accesses that get far: one path of tables to one page, mostly whole, here and there with a bit flipped.
/// Guest frames 1 to 5 hold the guest's tables, 13 to 20 its pages; the second stage's tables lie in host frames 50 to 55, and
/// guest frame n in host frame n + 24, or n where the second stage maps large pages.
/// </summary>
internal sealed class CaseGenerator(SplitMix random)
{
    internal const int Frames = 64;
    private const int FirstDataFrame = 13;
    private const int DataFrames = 8;
    private const int HostOffset = 24;
    private const ulong StageFrame = 50;

    /// <summary>A PDPTE for a table that is empty.</summary>
    private const ulong Elsewhere = 0x3F001;
    private static readonly int[] _widths = [36, 40, 46, 52];
    private readonly List<(ulong Address, ulong Entry)> _entries = [];
    private bool _identity;

    internal LiteralInput Registers { get; private set; }

    internal LiteralStageInput Stage { get; private set; }

    internal IReadOnlyList<(ulong Address, ulong Entry)> Entries => _entries;

    private ulong Linear { get; set; }

    /// <summary>Makes another set of tables.</summary>
    internal void NextTables()
    {
        _entries.Clear();
        Stage = RandomStage();
        _identity = Stage.Kind != LiteralStage.None && random.Chance(25);
        Registers = RandomRegisters(out int levels);
        if (levels == 0)
        {
            Linear = ((ulong)(FirstDataFrame + random.Below(DataFrames)) << 12) | (random.Next() & 0xFFF);
        }
        else if ((Registers.Cr4 & (1 << 5)) == 0)
        {
            Guest32();
        }
        else
        {
            Guest64(levels);
        }

        if (Stage.Kind != LiteralStage.None)
        {
            SecondStage();
        }

        if (random.Chance(25) && _entries.Count > 0)
        {
            int victim = random.Below(_entries.Count);
            (ulong address, ulong entry) = _entries[victim];
            _entries[victim] = (address, entry ^ (1UL << random.Below(64)));
        }
    }

    /// <summary>Now and then other values of what decides rights: SMEP, SMAP, PKE, PKS, WP, PKRU, IA32_PKRS. None flushes anything.</summary>
    internal void MayChangeRights()
    {
        if (!random.Chance(30))
        {
            return;
        }

        const ulong Cr4Bits = (1UL << 20) | (1UL << 21) | (1UL << 22) | (1UL << 24);
        LiteralInput registers = Registers;
        registers.Cr4 ^= random.Next() & Cr4Bits;
        registers.Cr0 ^= (registers.Cr4 & (1 << 23)) == 0 ? Bit(16, 50) : 0;
        registers.Pkru = (uint)(random.Next() & random.Next());
        registers.Pkrs = (uint)(random.Next() & random.Next());
        Registers = registers;
    }

    /// <summary>An access near the page that the tables map.</summary>
    internal LiteralInput NextAccess()
    {
        LiteralInput input = Registers;
        input.Access = (LiteralAccess)random.Below(3);
        input.Cpl = random.Chance(50) ? 3 : random.Below(3);
        input.Ac = random.Chance(50);
        input.ImplicitSupervisor = input.Access != LiteralAccess.Fetch && random.Chance(8);
        input.ShadowStack = (input.Cr4 & (1 << 23)) != 0 && input.Access != LiteralAccess.Fetch && !input.ImplicitSupervisor
                            && random.Chance(30);
        ulong linear = (Linear & ~0xFFFUL) | (random.Next() & 0xFFF);
        if (random.Chance(6))
        {
            linear ^= 1UL << random.Below(64);
        }

        input.Linear = linear;
        return input;
    }

    private LiteralInput RandomRegisters(out int levels)
    {
        int mode = random.Below(100);
        levels = mode < 4 ? 0 : mode < 14 ? 1 : mode < 26 ? 2 : mode < 76 ? 4 : 5;
        bool wp = random.Chance(70);
        ulong cr4 = (levels >= 2 ? 1UL << 5 : 0) | (levels == 5 ? 1UL << 12 : 0)
                    | Bit(4, 80) | Bit(7, 60) | Bit(20, 40) | Bit(21, 40) | Bit(22, 50) | Bit(24, 40) | (wp ? Bit(23, 40) : 0);
        return new LiteralInput
        {
            Cr0 = 1 | (wp ? 1UL << 16 : 0) | (levels == 0 ? 0 : 1UL << 31),
            Cr3 = 0x1000 | (random.Next() & 0xFFF) | (levels >= 4 ? random.Next() & (3UL << 61) : 0),
            Cr4 = cr4,
            Efer = Bit(11, 75) | (levels >= 4 ? (1UL << 8) | (1UL << 10) : 0),
            Pkru = (uint)(random.Next() & random.Next()),
            Pkrs = (uint)(random.Next() & random.Next()),
            Amd = random.Chance(40),
            MaxPhysical = _widths[random.Below(_widths.Length)],
            Pages1G = random.Chance(75),
            Pse36 = random.Chance(75),
        };
    }

    private LiteralStageInput RandomStage()
    {
        int kind = random.Below(100);
        return new LiteralStageInput
        {
            Kind = kind < 35 ? LiteralStage.None : kind < 75 ? LiteralStage.Ept : LiteralStage.Npt,
            Root = StageFrame << 12,
            Levels = random.Chance(25) ? 5 : 4,
            MaxPhysical = _widths[random.Below(_widths.Length)],
            Pages1G = random.Chance(75),
            EptAccessedDirty = random.Chance(60),
            EptExecuteOnly = random.Chance(60),
            EptModeBased = random.Chance(40),
            NptNoExecute = random.Chance(75),
            NptGmet = random.Chance(30),
            PmlOn = random.Chance(40),
            PmlIndex = random.Chance(80) ? (ushort)511 : random.Chance(50) ? (ushort)random.Below(4) : (ushort)0xFFFF,
        };
    }

    private void Guest32()
    {
        bool large = random.Chance(35);
        Linear = (random.Next() & 0xFFC0_0000) | ((ulong)(FirstDataFrame + random.Below(DataFrames)) << 12);
        ulong pde = large
            ? (random.Chance(90) ? 0 : random.Next() & 0xFFFF_E000) | 0x80
            : 0x2000UL | Bit(7, 5);
        Put(1, (Linear >> 22) * 4, (pde | Flags(isLeaf: large)) & uint.MaxValue, half: true);
        if (!large)
        {
            Put(2, ((Linear >> 12) & 1023) * 4, (DataPage() | Flags(isLeaf: true)) & uint.MaxValue, half: true);
        }
    }

    private void Guest64(int levels)
    {
        int leafLevel = random.Below(100) switch { < 60 => 1, < 85 => 2, _ => levels == 2 ? 2 : 3 };
        ulong upper = random.Next() & ~((1UL << (12 + (9 * (leafLevel - 1)))) - 1);
        Linear = upper | ((ulong)(FirstDataFrame + random.Below(DataFrames)) << 12);
        Linear = levels switch
        {
            2 => Linear & uint.MaxValue,
            4 => (ulong)((long)(Linear << 16) >> 16),
            _ => (ulong)((long)(Linear << 7) >> 7),
        };
        if (leafLevel == 1)
        {
            Linear = random.Chance(50) ? Linear : Linear & ~0x1FF000UL;
        }

        if (levels == 2)
        {
            ulong pdpte = random.Chance(97) ? 0x1001UL : 0;
            LiteralInput registers = Registers;
            (registers.Pdpte0, registers.Pdpte1, registers.Pdpte2, registers.Pdpte3) = (Linear >> 30) switch
            {
                0 => (pdpte, Elsewhere, Elsewhere, Elsewhere),
                1 => (Elsewhere, pdpte, Elsewhere, Elsewhere),
                2 => (Elsewhere, Elsewhere, pdpte, Elsewhere),
                _ => (Elsewhere, Elsewhere, Elsewhere, pdpte),
            };
            Registers = registers;
        }

        for (int level = levels; level >= leafLevel; level--)
        {
            bool isLeaf = level == leafLevel;
            ulong frame = (ulong)(levels - level) + 1;
            ulong address = !isLeaf ? (frame + 1) << 12
                : level == 1 ? DataPage()
                : (random.Chance(90) ? 0 : random.Next() & 0x000F_FFFF_FFFF_E000) | 0x80;
            ulong execute = random.Chance(15) ? 1UL << 63 : 0;
            ulong ignored = (levels == 2 ? 0 : isLeaf ? random.Next() & (0xFUL << 59) : 0) | (random.Chance(10) && levels > 2 ? 1UL << 52 : 0);
            ulong usual = (Registers.Efer & (1 << 11)) != 0 || random.Chance(5) ? execute : 0;
            Put(frame, ((Linear >> (12 + (9 * (level - 1)))) & 511) * 8, address | usual | ignored | Flags(isLeaf), half: false);
        }
    }

    private void SecondStage()
    {
        var pages = new List<ulong>();
        for (ulong frame = 1; frame <= 5; frame++)
        {
            pages.Add(frame);
        }

        for (ulong frame = FirstDataFrame; frame < FirstDataFrame + DataFrames; frame++)
        {
            pages.Add(frame);
        }

        int leafLevel = !_identity ? 1 : random.Chance(60) ? 2 : 3;
        for (int level = Stage.Levels; level > leafLevel; level--)
        {
            ulong frame = StageFrame + (ulong)(Stage.Levels - level);
            _entries.Add((frame << 12, ((frame + 1) << 12) | StageFlags(isLeaf: false)));
        }

        ulong leafTable = (StageFrame + (ulong)(Stage.Levels - leafLevel)) << 12;
        if (_identity)
        {
            _entries.Add((leafTable, (random.Chance(95) ? 0UL : 1UL << (12 + random.Below(20))) | 0x80 | StageFlags(isLeaf: true)));
            return;
        }

        foreach (ulong frame in pages)
        {
            _entries.Add((leafTable + (frame * 8), ((frame + HostOffset) << 12) | StageFlags(isLeaf: true)));
        }
    }

    private ulong StageFlags(bool isLeaf)
    {
        if (Stage.Kind == LiteralStage.Npt)
        {
            return (random.Chance(98) ? 1UL : 0) | Bit(1, 92) | Bit(2, 95) | Bit(5, 60) | (isLeaf ? Bit(6, 40) : 0)
                   | (Stage.NptNoExecute ? Bit(63, 10) : 0);
        }

        ulong rights = random.Chance(90) ? 7 : random.Next() & 7;
        ulong type = !isLeaf ? 0 : (random.Chance(97) ? 6UL : (ulong)random.Below(8)) << 3;
        return rights | type | Bit(8, 60) | (isLeaf ? Bit(9, 40) | Bit(6, 20) : 0) | Bit(10, 75) | Bit(63, 30);
    }

    private ulong Flags(bool isLeaf)
        => (random.Chance(97) ? 1UL : 0) | Bit(1, 80) | Bit(2, 75) | Bit(5, 60) | (isLeaf ? Bit(6, 50) | Bit(8, 30) : Bit(8, 4))
           | Bit(3, 10) | Bit(4, 10) | (isLeaf ? 0 : Bit(9, 10));

    private ulong DataPage() => random.Chance(92) ? (ulong)(FirstDataFrame + random.Below(DataFrames)) << 12 : random.Next() & 0x000F_FFFF_FFFF_F000;

    private void Put(ulong guestFrame, ulong offset, ulong entry, bool half)
    {
        ulong hostFrame = Stage.Kind == LiteralStage.None || _identity ? guestFrame : guestFrame + HostOffset;
        ulong address = (hostFrame << 12) + offset;
        _entries.Add(half ? (address & ~7UL, entry << ((int)(address & 4) * 8)) : (address, entry));
    }

    private ulong Bit(int bit, int percent) => random.Chance(percent) ? 1UL << bit : 0;
}
