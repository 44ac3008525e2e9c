using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Faults;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tests.Tlb;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Walking;

/// <summary>The library's walk against the oracle on random tables; a failure names the seed that makes its tables again.</summary>
public class OracleComparisonTests
{
    private const int TableSets = 5_000;
    private const int AccessesPerSet = 40;
    private const int Entries = 8;
    private const int GuestTables = 7;
    private const int HostTables = 9;
    private const ulong HostStart = 0x10_0000;

    /// <summary>Bits that a walk of any format may set.</summary>
    private const ulong AccessedOrDirty = 0x360;

    private delegate Translation Walk(SparseMemory memory, ulong address, AccessRights needed);

    [Fact]
    public void Native_walks_equal_the_oracle_on_200_000_random_cases()
        => Compare(OracleWalker.Stage.None, (memory, address, needed) =>
        {
            var source = new TwoStageSource<X64FourLevel, IdentityStage, HostTableReader>(default, new HostTableReader(memory))
            {
                Root = 0x1000,
            };
            return source.Translate(address, needed);
        });

    [Fact]
    public void Ept_walks_equal_the_oracle_on_200_000_random_cases() => Compare(OracleWalker.Stage.Ept, Nested<EptFormat>);

    [Fact]
    public void Npt_walks_equal_the_oracle_on_200_000_random_cases() => Compare(OracleWalker.Stage.Npt, Nested<NptFormat>);

    private static Translation Nested<TFormat>(SparseMemory memory, ulong address, AccessRights needed)
        where TFormat : struct, IPageTableFormat
    {
        var reader = new HostTableReader(memory);
        var stage = new NestedStage<TFormat, HostTableReader>(reader, HostStart, context: 1);
        var source = new TwoStageSource<X64FourLevel, NestedStage<TFormat, HostTableReader>, HostTableReader>(stage, reader)
        {
            Root = 0x1000,
        };
        return source.Translate(address, needed);
    }

    private static void Compare(OracleWalker.Stage stage, Walk walk)
    {
        using var memory = new SparseMemory();
        var completed = 0;
        for (ulong seed = 1; seed <= TableSets; seed++)
        {
            var random = new SplitMix(seed);
            Dictionary<ulong, ulong> words = RandomTables(random, stage);
            foreach ((ulong address, ulong word) in words)
            {
                memory.EnsureFrame(address);
                memory.Write(address, word);
            }

            var oracle = new OracleWalker(words, stage, HostStart);
            for (int access = 0; access < AccessesPerSet; access++)
            {
                completed += CompareOne(memory, words, oracle, walk, random, $"{stage}, seed {seed}, access {access}") ? 1 : 0;
            }
        }

        Assert.True(completed > TableSets * AccessesPerSet / 50, $"Only {completed} cases completed: the tables are too sparse to tell.");
    }

    private static bool CompareOne(
        SparseMemory memory, Dictionary<ulong, ulong> words, OracleWalker oracle, Walk walk, SplitMix random, string seed)
    {
        ulong address = ((ulong)random.Below(Entries) << 39) | ((ulong)random.Below(Entries) << 30)
                        | ((ulong)random.Below(Entries) << 21) | ((ulong)random.Below(Entries) << 12) | (random.Next() & 0xFFF);
        (bool write, bool fetch) = random.Below(3) switch { 0 => (false, false), 1 => (true, false), _ => (false, true) };
        bool user = random.Chance(50);
        AccessRights needed = (write ? AccessRights.Write : fetch ? AccessRights.Execute : AccessRights.Read)
                              | (user ? AccessRights.User : AccessRights.None);
        string what = $"{seed}: 0x{address:x} {needed}";
        OracleWalker.Outcome expected = oracle.Translate(0x1000, address, write, fetch, user);
        Translation actual = walk(memory, address, needed);
        Assert.True(expected.Status == actual.Status, $"{what}: {expected.Status} expected, {actual.Status} found");
        if (expected.Page is { } page)
        {
            AccessRights rights = (page.Read ? AccessRights.Read : 0) | (page.Write ? AccessRights.Write : 0)
                                  | (page.Execute ? AccessRights.Execute : 0) | (page.User ? AccessRights.User : 0);
            // A native 1G page has the largest size there is.
            Assert.True(page.Address == actual.HostPage, $"{what}: page 0x{page.Address:x} expected, 0x{actual.HostPage:x} found");
            Assert.True(page.SizeLog2 == (int)actual.Size, $"{what}: size {page.SizeLog2} expected, {actual.Size} found");
            Assert.True(rights == actual.Rights, $"{what}: {rights} expected, {actual.Rights} found");
            Assert.True(page.Dirty == actual.StoreOk, $"{what}: store-ok {page.Dirty} expected");
        }
        else if (actual.Status >= TranslationStatus.SecondStageNotPresent)
        {
            Assert.True(expected.InTable == actual.IsTableAccess, $"{what}: met a table: {expected.InTable} expected");
        }

        foreach ((ulong where, ulong word) in words)
        {
            Assert.True(word == memory.Read(where), $"{what}: entry 0x{where:x} is 0x{memory.Read(where):x}, 0x{word:x} expected");
        }

        return expected.Page is not null;
    }

    /// <summary>A few tables of each stage with entries that mostly refer to tables of the same stage.</summary>
    private static Dictionary<ulong, ulong> RandomTables(SplitMix random, OracleWalker.Stage stage)
    {
        var words = new Dictionary<ulong, ulong>();
        for (int table = 0; table < GuestTables; table++)
        {
            // Under a second stage guest frame n lies in host frame 0x200 + n.
            ulong place = stage == OracleWalker.Stage.None ? 0x1000UL : 0x20_1000UL;
            for (int slot = 0; slot < Entries; slot++)
            {
                words[place + ((ulong)table << 12) + ((ulong)slot * 8)] = Entry(random, 0x1000, GuestTables, 0x8000_0000_0000_0067, 7);
            }
        }

        if (stage != OracleWalker.Stage.None)
        {
            AddSecondStage(words, random, stage == OracleWalker.Stage.Ept ? 0x307UL : 0x8000_0000_0000_0067);
        }

        return words;
    }

    private static void AddSecondStage(Dictionary<ulong, ulong> words, SplitMix random, ulong variable)
    {
        for (int table = 0; table < HostTables; table++)
        {
            for (int slot = 0; slot < Entries; slot++)
            {
                words[HostStart + ((ulong)table << 12) + ((ulong)slot * 8)] = Entry(random, HostStart, HostTables, variable, 7);
            }
        }

        // Guest frames 0 to 7 are mostly mapped where the guest's tables are, so that most walks get past the first table.
        for (ulong level = 0; level < 3; level++)
        {
            words[HostStart + (level << 12)] = (HostStart + ((level + 1) << 12)) | 7;
        }

        for (ulong slot = 0; slot < Entries; slot++)
        {
            ulong good = (0x20_0000 + (slot << 12)) | 7;
            words[HostStart + 0x3000 + (slot * 8)] = random.Chance(85) ? good : good & ~(random.Next() & 7);
        }
    }

    private static ulong Entry(SplitMix random, ulong start, int tables, ulong variable, ulong usual)
    {
        ulong frame = random.Chance(85) ? start + ((ulong)random.Below(tables) << 12) : random.Next() & 0x000F_FFFF_FFFF_F000;
        ulong bits = random.Chance(60) ? usual | (random.Next() & AccessedOrDirty & variable) : random.Next() & variable;
        return frame | bits | (random.Chance(12) ? 0x80UL : 0);
    }
}
