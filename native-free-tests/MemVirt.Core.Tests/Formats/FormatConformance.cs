using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Tests.Tlb;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Formats;

/// <summary>
/// What every page-table format must do. A new format is a subclass that says which rights its leaves can express and which bits
/// the manual reserves.
/// </summary>
public abstract class FormatConformance<TFormat>
    where TFormat : struct, IPageTableFormat
{
    /// <summary>A page's address that has bits in every field of the format and is aligned to its largest page.</summary>
    protected virtual ulong Page => 0x000A_BCDE_C000_0000;

    /// <summary>The right that a present leaf always grants.</summary>
    protected abstract AccessRights Always { get; }

    /// <summary>The rights that entries can withhold.</summary>
    protected virtual AccessRights Expressible => AccessRights.All;

    /// <summary>The highest level at which a leaf stands.</summary>
    protected virtual int HighestLeaf => 2;

    /// <summary>Address bits that select the entry of a level.</summary>
    protected virtual int BitsPerLevel => 9;

    /// <summary>What a processor of 40 bits of physical address, without 1 GiB pages and without EFER.NXE, makes of entries.</summary>
    protected abstract EntryRules NarrowRules { get; }

    /// <summary>The bits that the manual reserves there, in a leaf of a level or in an entry that refers to a table.</summary>
    protected abstract ulong ReservedBits(int level, bool isLeaf);

    /// <summary>A walk intersects entries as words and tells the rights once.</summary>
    [Fact]
    public void Rights_of_intersected_entries_are_the_intersection_of_their_rights()
    {
        var random = new SplitMix(1);
        ulong used = TFormat.EntryBytes == 8 ? ulong.MaxValue : uint.MaxValue;
        ulong inverted = TFormat.WithholdingBits;
        for (int round = 0; round < 10_000; round++)
        {
            (ulong a, ulong b, ulong leaf) = (random.Next() & used, random.Next() & used, random.Next() & used);
            ulong granted = (a ^ inverted) & (b ^ inverted);
            Assert.Equal(TFormat.Rights(a) & TFormat.Rights(b), TFormat.Rights(granted ^ inverted));
            Assert.Equal(TFormat.Rights(a) & TFormat.Rights(b) & TFormat.LeafRights(leaf), TFormat.RightsOf(granted, leaf));
        }
    }

    [Fact]
    public void A_table_entry_is_present_and_no_leaf()
    {
        for (int level = 1; level < TFormat.Levels; level++)
        {
            ulong table = Page & 0xFFFF_F000;
            ulong entry = TFormat.TableEntry(table);
            Assert.True(TFormat.IsPresent(entry));
            Assert.False(TFormat.IsLeaf(entry, level));
            Assert.Equal(AccessRights.All, TFormat.Rights(entry) & AccessRights.All);
            Assert.Equal(table, TFormat.TableAddress(entry));
            Assert.Equal(TFormat.AccessedBit, entry & TFormat.AccessedBit);
        }
    }

    [Fact]
    public void A_leaf_entry_is_a_leaf_at_its_level_with_the_rights_given()
    {
        for (int level = 0; level <= HighestLeaf; level++)
        {
            for (AccessRights asked = AccessRights.None; asked <= AccessRights.All; asked++)
            {
                AccessRights rights = asked | Always | (AccessRights.All & ~Expressible);
                if ((rights & ~AccessRights.User) == 0)
                {
                    continue;
                }

                foreach (bool dirty in new[] { false, true })
                {
                    ulong page = level == 0 && TFormat.EntryBytes == 4 ? Page & uint.MaxValue : Page;
                    ulong entry = TFormat.LeafEntry(page, level, rights, dirty);
                    Assert.True(TFormat.IsPresent(entry));
                    Assert.True(TFormat.IsLeaf(entry, level));
                    Assert.Equal(rights, TFormat.LeafRights(entry) & AccessRights.All);
                    Assert.Equal(page, TFormat.PageAddress(entry, level));
                    Assert.Equal(dirty, (entry & TFormat.DirtyBit) != 0);
                    Assert.Equal(TFormat.AccessedBit, entry & TFormat.AccessedBit);
                }
            }
        }
    }

    [Fact]
    public void Zero_is_not_present_and_above_the_highest_leaf_none_is()
    {
        Assert.False(TFormat.IsPresent(0));
        for (int level = 0; level < TFormat.Levels; level++)
        {
            Assert.Equal(level <= HighestLeaf, TFormat.IsLeaf(ulong.MaxValue, level));
        }
    }

    [Fact]
    public void Accessed_and_dirty_are_one_bit_each_and_apart()
    {
        Assert.Equal(1, System.Numerics.BitOperations.PopCount(TFormat.AccessedBit));
        Assert.Equal(1, System.Numerics.BitOperations.PopCount(TFormat.DirtyBit));
        Assert.NotEqual(TFormat.AccessedBit, TFormat.DirtyBit);
    }

    [Fact]
    public void Each_level_selects_an_entry_by_its_own_bits()
    {
        ulong last = (1UL << BitsPerLevel) - 1;
        for (int level = 0; level < TFormat.Levels; level++)
        {
            int shift = 12 + (BitsPerLevel * level);
            Assert.Equal(shift, TFormat.ShiftOf(level));
            Assert.Equal(last * (ulong)TFormat.EntryBytes, TFormat.EntryOffset(last << shift, level));
            Assert.Equal((ulong)TFormat.EntryBytes, TFormat.EntryOffset(1UL << shift, level));
            Assert.Equal(0UL, TFormat.EntryOffset(~(last << shift), level));
        }
    }

    /// <summary>Every bit of an entry of every level, set where it was clear: the walk stops where the manual reserves it, only there.</summary>
    [Fact]
    public void A_walk_stops_at_each_reserved_bit_and_at_no_other()
    {
        for (int leafLevel = 0; leafLevel <= HighestLeaf; leafLevel++)
        {
            for (int level = leafLevel; level < TFormat.Levels; level++)
            {
                for (int bit = 0; bit < 8 * TFormat.EntryBytes; bit++)
                {
                    CheckBit(leafLevel, level, bit);
                }
            }
        }
    }

    private void CheckBit(int leafLevel, int level, int bit)
    {
        using var memory = new SparseMemory();
        bool isLeaf = level == leafLevel;
        ulong plain = Entry(level, isLeaf);
        ulong changed = plain | (1UL << bit);
        bool becomesLeaf = !isLeaf && TFormat.IsLeaf(changed, level);
        if (changed == plain || becomesLeaf)
        {
            return;
        }

        for (int each = TFormat.Levels - 1; each >= leafLevel; each--)
        {
            ulong entry = each == level ? changed : Entry(each, each == leafLevel);
            ulong place = TableOf(each) + TFormat.EntryOffset(Address, each);
            memory.Write(place & ~7UL, entry << ((int)(place & 4) * 8));
        }

        var locator = default(HostTables);
        var reader = new HostTableReader(memory);
        WalkResult walk = RadixWalk<TFormat, HostTables, HostTableReader>.Walk(
            ref locator, ref reader, TableKind.Guest, NarrowRules, null, 0, TableOf(TFormat.Levels - 1), Address);
        bool reserved = (ReservedBits(level, isLeaf) & (1UL << bit)) != 0 || (isLeaf && ReservedBits(level, true) == ulong.MaxValue);
        string what = $"bit {bit} of level {level}, leaf at {leafLevel}";
        if (reserved)
        {
            Assert.True(walk.Status == WalkStatus.Reserved && walk.Level == level, $"{what}: {walk.Status} at {walk.Level}, reserved expected");
        }
        else if (walk.Status == WalkStatus.Reserved)
        {
            // The leaf below may be one that this processor does not have at all.
            Assert.True(walk.Level != level && ReservedBits(leafLevel, true) == ulong.MaxValue, $"{what}: reserved, though it is not");
        }
    }

    private const ulong Address = 0x40_3000;

    private static ulong TableOf(int level) => 0x10_0000 + ((ulong)level << 12);

    private ulong Entry(int level, bool isLeaf)
        => isLeaf ? TFormat.LeafEntry(0, level, AccessRights.All, dirty: false) : TFormat.TableEntry(TableOf(level - 1));
}
