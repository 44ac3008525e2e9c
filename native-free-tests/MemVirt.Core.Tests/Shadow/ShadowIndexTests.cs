using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Memory;
using MemVirt.Core.Shadow;
using MemVirt.Core.Tests.Tlb;

namespace MemVirt.Core.Tests.Shadow;

/// <summary>The indices of shadow pages against sets kept by name: after each of many changes they hold the same.</summary>
public sealed class ShadowIndexTests
{
    private const int Changes = 50_000;
    private const int Indices = 700;
    private const ulong LastFrame = 0xF_FFFF_FFFF_F000;

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public void A_guest_frame_has_the_pages_added_and_not_removed(ulong seed)
    {
        var random = new SplitMix(seed);
        var pages = new ShadowPage[Indices];
        var index = new FrameIndex();
        var frames = new ulong?[Indices];
        int last = 0;
        for (int change = 0; change < Changes; change++)
        {
            // Indices are given out in order, and reused.
            int which = random.Below(Math.Min(last + 1, Indices));
            ulong frame = (ulong)random.Below(50) << random.Below(34);
            if (frames[which] is null)
            {
                pages[which] = PageOf(frame << 12, table: 0);
                index.Add(pages, which);
                frames[which] = frame;
                last = Math.Max(last, which + 1);
            }
            else
            {
                index.Remove(pages, which);
                frames[which] = null;
            }

            var found = new List<int>();
            for (int each = index.First(pages, frame); each >= 0; each = FrameIndex.Next(pages, each))
            {
                found.Add(each);
            }

            Assert.Equal(Enumerable.Range(0, Indices).Where(each => frames[each] == frame), found.Order());
        }
    }

    [Theory]
    [InlineData(6)]
    [InlineData(7)]
    public void A_table_s_frame_has_the_page_added_and_not_removed(ulong seed)
    {
        var random = new SplitMix(seed);
        var pages = new ShadowPage[Indices];
        var index = new TableIndex();
        var expected = new Dictionary<ulong, int>();
        for (int change = 0; change < Changes; change++)
        {
            int which = random.Below(Indices);
            ulong frame = which % 2 == 0 ? (ulong)which : (LastFrame >> 12) - (ulong)which;
            if (expected.TryAdd(frame, which))
            {
                pages[which] = PageOf(0, frame << 12);
                index.Add(pages, which);
            }
            else
            {
                index.Remove(pages, which);
                expected.Remove(frame);
            }

            ulong asked = (ulong)random.Below(Indices);
            Assert.Equal(expected.GetValueOrDefault(asked, -1), index.Find(pages, asked));
        }

        Assert.All(expected, each => Assert.Equal(each.Value, index.Find(pages, each.Key)));
    }

    [Theory]
    [InlineData(8, 2)]
    [InlineData(9, 40)]
    public void A_page_has_the_parents_added_and_not_removed(ulong seed, int entries)
    {
        var random = new SplitMix(seed);
        var links = new ParentLinks();
        ShadowPage[] pages = [PageOf(0, 0), PageOf(0, 0), PageOf(0, 0)];
        HashSet<ParentEntry>[] expected = [[], [], []];
        for (int change = 0; change < Changes; change++)
        {
            int which = random.Below(pages.Length);
            var entry = new ParentEntry(random.Below(entries), (ushort)(511 - random.Below(2)));
            if (random.Below(100) == 0)
            {
                links.Clear(ref pages[which]);
                expected[which].Clear();
            }
            else if (expected[which].Add(entry))
            {
                links.Add(ref pages[which], entry);
            }
            else
            {
                links.Remove(ref pages[which], entry);
                expected[which].Remove(entry);
            }

            var found = new List<ParentEntry>();
            for (ParentEntry each = links.First(in pages[which], out int position); each.Page >= 0; each = links.Next(ref position))
            {
                found.Add(each);
            }

            Assert.Equal(expected[which].Count, found.Count);
            Assert.Equal(expected[which], found.ToHashSet());
        }
    }

    [Theory]
    [InlineData(0, 0, false, AccessRights.None, false)]
    [InlineData(LastFrame, 3, true, AccessRights.Unrestricted, true)]
    [InlineData(0x1234_5678_9000, 2, false, AccessRights.All & ~AccessRights.Write, false)]
    public void A_page_keeps_what_it_was_made_with(ulong address, int level, bool direct, AccessRights rights, bool global)
    {
        var role = new ShadowRole(address, level, direct, rights, global);
        var page = new ShadowPage(role, LastFrame - address, address) { OutOfSync = true };
        Assert.Equal((1, 2, 3), (page.CountWrite(), page.CountWrite(), page.CountWrite()));
        Assert.True(page.OutOfSync);
        Assert.Equal(role, page.Role);
        Assert.Equal((address, level, direct, rights, global), (role.GuestAddress, role.Level, role.Direct, role.Rights, role.Global));
        Assert.Equal((LastFrame - address, address), (page.Table, page.GuestRoot));
        page.OutOfSync = false;
        page.IsUsed();
        Assert.Equal((false, 1), (page.OutOfSync, page.CountWrite()));
        Assert.Equal(role, page.Role);
    }

    /// <summary>What runs of 16 pages need to stay within 24 bytes a page, with the reverse map's 20: a table is one in 14.2 of theirs.</summary>
    [Fact]
    public void A_shadow_page_costs_no_more_than_56_bytes_beside_its_table()
    {
        Assert.Equal(40, Unsafe.SizeOf<ShadowPage>());
        using var host = new SparseMemory();
        var set = new ShadowPageSet(host, new FrameAllocator(0, 1UL << 40), reusesTables: true);
        for (ulong page = 1; page <= 300_000; page++)
        {
            set.Create(new ShadowRole(page << 12, 0, direct: false, AccessRights.All), guestRoot: 0);
            Assert.True(page < 1000 || set.IndexBytes <= 56 * (long)page, $"{set.IndexBytes} bytes for {page} pages");
        }
    }

    private static ShadowPage PageOf(ulong guestAddress, ulong table)
        => new(new ShadowRole(guestAddress, 0, direct: false, AccessRights.All), table, guestRoot: 0);
}
