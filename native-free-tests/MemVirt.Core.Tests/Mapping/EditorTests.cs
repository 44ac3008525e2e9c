using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;

namespace MemVirt.Core.Tests.Mapping;

/// <summary>Single edits, in every format.</summary>
public abstract class EditorTests<TFormat> : IDisposable
    where TFormat : struct, IPageTableFormat
{
    private const ulong A = 5UL << 30;
    private const ulong Frame = 7UL << 30;
    private const ulong IgnoredBits = (1UL << 11) | (1UL << 55);

    private protected EditorBed<TFormat> Bed { get; } = new();

    public void Dispose()
    {
        Bed.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void A_page_of_1G_splits_into_2M_and_4K_pages_that_map_the_same_bytes_alike()
    {
        Bed.Map(A, Frame, PageSize.Size1G, AccessRights.Read | AccessRights.User, dirty: true).LeaveStale("nobody runs");
        ulong entry = Bed.LeafOf(A).EntryAddress;
        Bed.Memory.SetBits(entry, IgnoredBits);
        ulong before = Bed.Memory.Read(entry);
        PendingInvalidation pending = Bed.Split(A + 0x20_3000);
        Assert.True(pending.IsStructural);
        Assert.Equal(new AddressRange(A, 1UL << 30), pending.Range);
        Bed.Finish(pending);
        for (ulong offset = 0; offset < 1UL << 30; offset += 0x1F_F000)
        {
            (ulong leaf, int level, _) = Bed.LeafOf(A + offset);
            Assert.Equal(offset >> 21 == 1 ? 0 : 1, level);
            Assert.Equal(Frame + offset, Bed.FrameOf(A + offset));
            Assert.Equal(before & (0xFFF0_0000_0000_0F7F), leaf & 0xFFF0_0000_0000_0F7F);
        }

        Assert.Equal(0, Bed.LeafOf(A + 0x20_0000).Level);
    }

    [Fact]
    public void Pages_of_4K_merge_into_2M_and_those_into_1G()
    {
        Bed.Map(A, Frame, PageSize.Size1G).LeaveStale("nobody runs");
        ulong before = Bed.LeafOf(A).Leaf;
        Bed.Finish(Bed.Split(A));
        int tables = Bed.TablesInUse;
        Bed.Touch(A + 0x5000, TFormat.DirtyBit);
        Assert.Equal(EditStatus.NotMergeable, Bed.Merge(A, PageSize.Size1G).Status);
        Bed.Finish(Bed.Merge(A));
        Bed.Finish(Bed.Merge(A, PageSize.Size1G));
        Assert.Equal((before | TFormat.DirtyBit, 2), (Bed.LeafOf(A).Leaf, Bed.LeafOf(A).Level));
        Assert.Equal(tables - 2, Bed.TablesInUse);
    }

    [Fact]
    public void Protecting_keeps_every_bit_that_grants_no_right()
    {
        Bed.Map(A, Frame, rights: AccessRights.All, dirty: true).LeaveStale("nobody runs");
        ulong entry = Bed.LeafOf(A).EntryAddress;
        Bed.Memory.SetBits(entry, IgnoredBits);
        ulong before = Bed.Memory.Read(entry);
        Bed.Finish(Bed.Protect(A, 4096, AccessRights.Read | AccessRights.User));
        Assert.Equal(AccessRights.Read | AccessRights.User, TFormat.Rights(Bed.Memory.Read(entry)) & AccessRights.All);
        Bed.Finish(Bed.Protect(A, 4096, AccessRights.All));
        Assert.Equal(before, Bed.Memory.Read(entry));
    }

    [Fact]
    public void Granting_more_needs_no_invalidation_and_taking_away_does()
    {
        Bed.Map(A, Frame, rights: AccessRights.Read | AccessRights.User).LeaveStale("nobody runs");
        Assert.False(Bed.Protect(A, 4096, AccessRights.All).IsNeeded);
        Assert.False(Bed.Protect(A, 4096, AccessRights.All).IsNeeded);
        PendingInvalidation pending = Bed.Protect(A, 4096, AccessRights.Read | AccessRights.User);
        Assert.True(pending.IsNeeded);
        Assert.False(pending.IsStructural);
    }

    [Fact]
    public void Unmapping_gives_back_the_tables_it_empties_zeroed_and_keeps_the_others()
    {
        Bed.Map(A, Frame).LeaveStale("nobody runs");
        Bed.Map(A + 0x1000, Frame).LeaveStale("nobody runs");
        Bed.Map(A + (1UL << 21), Frame).LeaveStale("nobody runs");
        Assert.Equal(5, Bed.TablesInUse);
        Bed.Finish(Bed.Unmap(A, 0x1000));
        Assert.Equal(5, Bed.TablesInUse);
        Bed.Finish(Bed.Unmap(A + 0x1000, 0x1000));
        Assert.Equal(4, Bed.TablesInUse);
        PendingInvalidation pending = Bed.Unmap(0, 1UL << 48);
        Assert.Equal(3, pending.RemovedTables);
        Bed.Finish(pending);
        PooledTableSpace space = Bed.Pool.Space;
        for (int table = 0; table < 4; table++)
        {
            ulong reused = space.AllocateTable();
            Assert.All(Enumerable.Range(0, 512), index => Assert.Equal(0UL, Bed.Memory.Read(reused + ((ulong)index * 8))));
        }

        Assert.Equal(0, Bed.Pool.FreeTables);
    }

    [Fact]
    public void Tables_left_stale_are_not_handed_back()
    {
        Bed.Map(A, Frame).LeaveStale("nobody runs");
        Bed.Unmap(A, 0x1000).LeaveStale("the root goes away with them");
        Assert.Equal(0, Bed.Pool.FreeTables);
    }

    [Fact]
    public void A_range_that_ends_inside_a_larger_page_changes_nothing()
    {
        Bed.Map(A, Frame, PageSize.Size2M).LeaveStale("nobody runs");
        Bed.Map(A - 0x1000, Frame).LeaveStale("nobody runs");
        PendingInvalidation pending = Bed.Unmap(A - 0x1000, 0x2000);
        Assert.Equal((EditStatus.CutsLargerPage, A + 0xFFF), (pending.Status, pending.Range.Start));
        Assert.NotEqual(0UL, Bed.LeafOf(A - 0x1000).Leaf);
        Assert.Equal(EditStatus.CutsLargerPage, Bed.Protect(A + 0x1000, 0x1F_F000, AccessRights.Read).Status);
    }

    [Fact]
    public void Using_the_invalidation_of_an_edit_that_failed_throws_what_was_wrong()
    {
        Bed.Map(A, Frame).LeaveStale("nobody runs");
        var thrown = Assert.Throws<InvalidOperationException>(() => Bed.Map(A, Frame).Complete(Bed.Bus));
        Assert.Equal("The edit was not made: AlreadyMapped at 0x140000000.", thrown.Message);
        Assert.Throws<InvalidOperationException>(() => Bed.Map(A, Frame).LeaveStale("nobody runs"));
    }

    [Fact]
    public void Arguments_that_no_table_could_satisfy_are_refused_by_name()
    {
        Assert.Contains("page 0x1c0001000", Message(() => Bed.Map(A, Frame + 0x1000, PageSize.Size2M)), StringComparison.Ordinal);
        Assert.Contains("address 0x140000001", Message(() => Bed.Map(A + 1, Frame)), StringComparison.Ordinal);
        Assert.Contains("start", Message(() => Bed.Unmap(A + 1, 0x1000)), StringComparison.Ordinal);
        Assert.Contains("length", Message(() => Bed.Unmap(A, 0x800)), StringComparison.Ordinal);
        Assert.Contains("[0x140000000, 0x140000000)", Message(() => Bed.Unmap(A, 0)), StringComparison.Ordinal);
        Assert.Contains("48", Message(() => Bed.Unmap(A, 1UL << 48)), StringComparison.Ordinal);
        Assert.Contains("Write", Message(() => Bed.Protect(A, 0x1000, AccessRights.Write)), StringComparison.Ordinal);
        Assert.Contains("4K", Message(() => Bed.Merge(A, PageSize.Size4K)), StringComparison.Ordinal);
    }

    [Fact]
    public void An_entry_below_a_larger_page_is_not_made_up()
    {
        Bed.Map(A, Frame, PageSize.Size2M).LeaveStale("nobody runs");
        PooledTableSpace space = Bed.Pool.Space;
        Assert.Throws<InvalidOperationException>(
            () => PageTableEditor<TFormat, PooledTableSpace>.EnsureEntry(ref space, Bed.Root, A + 0x3000, 0, out _));
    }

    private static string Message(Func<PendingInvalidation> edit)
        => Assert.Throws<ArgumentException>(() => edit().LeaveStale("never reached")).Message;
}

public sealed class X64EditorTests : EditorTests<X64FourLevel>
{
    private const ulong LargePat = 1UL << 12;
    private const ulong SmallPat = 1UL << 7;

    [Fact]
    public void The_PAT_bit_moves_when_a_page_is_split_and_back_when_it_is_merged()
    {
        Bed.Map(1UL << 30, 1UL << 32, PageSize.Size1G).LeaveStale("nobody runs");
        Bed.Memory.SetBits(Bed.LeafOf(1UL << 30).EntryAddress, LargePat);
        ulong before = Bed.LeafOf(1UL << 30).Leaf;
        Bed.Finish(Bed.Split(1UL << 30));
        Assert.Equal(LargePat | SmallPat, Bed.LeafOf((1UL << 30) + (1UL << 21)).Leaf & (LargePat | SmallPat));
        Assert.Equal(SmallPat, Bed.LeafOf(1UL << 30).Leaf & (LargePat | SmallPat));
        Bed.Finish(Bed.Merge(1UL << 30));
        Bed.Finish(Bed.Merge(1UL << 30, PageSize.Size1G));
        Assert.Equal(before, Bed.LeafOf(1UL << 30).Leaf);
    }
}

public sealed class EptEditorTests : EditorTests<EptFormat>
{
    [Fact]
    public void The_memory_type_is_kept_and_a_4K_page_with_a_bit_that_no_large_one_has_is_not_merged()
    {
        const ulong Uncacheable = 0;
        const ulong MemoryType = 7UL << 3;
        Bed.Map(1UL << 21, 1UL << 32, PageSize.Size2M).LeaveStale("nobody runs");
        ulong entry = Bed.LeafOf(1UL << 21).EntryAddress;
        Bed.Memory.Write(entry, (Bed.Memory.Read(entry) & ~MemoryType) | Uncacheable);
        Bed.Finish(Bed.Split(1UL << 21));
        Assert.Equal(Uncacheable, Bed.LeafOf(1UL << 21).Leaf & MemoryType);
        for (ulong page = 0; page < 512; page++)
        {
            Bed.Memory.SetBits(Bed.LeafOf((1UL << 21) + (page << 12)).EntryAddress, 1UL << 7);
        }

        Assert.Equal(EditStatus.NotMergeable, Bed.Merge(1UL << 21).Status);
    }

    [Fact]
    public void Rights_that_leave_an_entry_absent_are_refused()
        => Assert.Throws<ArgumentException>(() => Bed.Protect(0, 0x1000, AccessRights.None).LeaveStale("never reached"));
}

public sealed class NptEditorTests : EditorTests<NptFormat>;
