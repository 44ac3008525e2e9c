using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Slots;

namespace MemVirt.Core.Tests.Slots;

/// <summary>Faults, arming and harvests one at a time, in a bed whose processors do not run.</summary>
public abstract class SlotPagerTests<TFormat> : IDisposable
    where TFormat : struct, IPageTableFormat
{
    private const ulong Large = 0x20_0000;
    private const ulong Moving = MigrationBed<TFormat>.MovingHere;
    private readonly MigrationBed<TFormat> _bed = new();
    private readonly ulong[] _bitmap = new ulong[16];

    public void Dispose()
    {
        _bed.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void A_page_is_mapped_as_large_as_slot_and_backing_allow_and_every_right_its_slot_has()
    {
        Assert.Equal(SlotFault.Mapped, Fault(Large + 0x5000, MemoryAccess.Read));
        Assert.Equal(1, _bed.LeafOf(Large).Level);
        Assert.True(IsWritable(Large));
        Assert.Equal(SlotFault.Mapped, Fault(Moving, MemoryAccess.Read));
        Assert.Equal(0, _bed.LeafOf(Moving).Level);
        Assert.Equal(SlotFault.Settled, Fault(Moving, MemoryAccess.Write));
    }

    [Fact]
    public void Where_no_slot_is_or_a_write_meets_a_read_only_one_the_VMM_is_asked()
    {
        Assert.Equal(SlotFault.NoSlot, Fault(1UL << 40, MemoryAccess.Read));
        _bed.Finish(_bed.Pager.SetReadOnly(1, true));
        Assert.Equal(SlotFault.Mapped, Fault(Large, MemoryAccess.Read));
        Assert.False(IsWritable(Large));
        Assert.Equal(SlotFault.ReadOnlySlot, Fault(Large, MemoryAccess.Write));
        _bed.Finish(_bed.Pager.SetReadOnly(1, false));
        Assert.Equal(SlotFault.MadeWritable, Fault(Large, MemoryAccess.Write));
        Assert.True(IsWritable(Large));
        _bed.Finish(_bed.Pager.SetReadOnly(1, true));
        Assert.False(IsWritable(Large));
    }

    [Fact]
    public void Write_protection_keeps_a_large_page_until_it_is_written_and_then_opens_that_piece_only()
    {
        Fault(Large, MemoryAccess.Write);
        _bed.Finish(_bed.Pager.Arm(1, DirtyLogging.WriteProtection));
        Assert.Equal(1, _bed.LeafOf(Large).Level);
        Assert.False(IsWritable(Large));
        Assert.Equal(SlotFault.MadeWritable, Fault(Large + 0x7008, MemoryAccess.Write));
        Assert.Equal(0, _bed.LeafOf(Large).Level);
        Assert.Equal((true, false), (IsWritable(Large + 0x7000), IsWritable(Large + 0x8000)));
        Assert.Equal([7], Harvest(1));
        Assert.False(IsWritable(Large + 0x7000));
        Assert.Equal([], Harvest(1));
    }

    [Fact]
    public void Write_protection_maps_small_pages_and_lets_only_the_written_one_be_written()
    {
        _bed.Finish(_bed.Pager.Arm(1, DirtyLogging.WriteProtection));
        Fault(Large, MemoryAccess.Read);
        Fault(Large + 0x1000, MemoryAccess.Write);
        Assert.Equal((0, false), (_bed.LeafOf(Large).Level, IsWritable(Large)));
        Assert.True(IsWritable(Large + 0x1000));
        Assert.Equal([1], Harvest(1));
    }

    [Fact]
    public void Dirty_bits_split_large_pages_at_arming_clear_them_and_collect_what_was_set_since()
    {
        Fault(Large, MemoryAccess.Write);
        Assert.NotEqual(0UL, _bed.LeafOf(Large).Leaf & TFormat.DirtyBit);
        _bed.Finish(_bed.Pager.Arm(1, DirtyLogging.DirtyBits));
        Assert.Equal(0, _bed.LeafOf(Large).Level);
        Assert.Equal([], Harvest(1));
        Fault(Large + 0x20_0000, MemoryAccess.Write);
        Dirty(Large + 0x3000);
        Dirty(Large + 0x20_0000);
        Assert.Equal([3, 512], Harvest(1));
        Assert.Equal([], Harvest(1));
    }

    [Fact]
    public void What_a_slot_has_dirtied_stays_marked_when_it_moves_and_when_it_goes()
    {
        _bed.Finish(_bed.Pager.Arm(2, DirtyLogging.DirtyBits));
        Fault(Moving + 0x5000, MemoryAccess.Write);
        Dirty(Moving + 0x5000);
        PendingInvalidation move = _bed.Pager.Move(2, GuestPhysicalAddress.Create(MigrationBed<TFormat>.MovingThere));
        Assert.Equal(0UL, _bed.LeafOf(Moving + 0x5000).Leaf);
        Assert.Equal(SlotFault.NoSlot, Fault(Moving + 0x5000, MemoryAccess.Write));

        // The move is not acknowledged: the harvest must be, though it changes no entry.
        PendingInvalidation harvest = _bed.Pager.Harvest(2, _bitmap, out long count);
        Assert.Equal((1, 1UL << 5), (count, _bitmap[0]));
        Assert.True(harvest.IsNeeded);
        _bed.Finish(harvest);
        _bed.Finish(move);
        Fault(MigrationBed<TFormat>.MovingThere, MemoryAccess.Write);
        Dirty(MigrationBed<TFormat>.MovingThere);
        MemorySlot slot = _bed.Pager.Slots.Get(2);
        _bed.Finish(_bed.Pager.Remove(2));
        Assert.Equal(1, slot.Log!.Harvest(_bitmap));
    }

    [Fact]
    public void Changing_the_way_of_logging_loses_no_mark()
    {
        _bed.Finish(_bed.Pager.Arm(2, DirtyLogging.DirtyBits));
        Fault(Moving, MemoryAccess.Write);
        Dirty(Moving);
        _bed.Finish(_bed.Pager.Arm(2, DirtyLogging.WriteProtection));
        Assert.Equal(SlotFault.Mapped, Fault(Moving + 0x1000, MemoryAccess.Write));
        _bed.Finish(_bed.Pager.Arm(2, DirtyLogging.DirtyBits));
        Fault(Moving + 0x2000, MemoryAccess.Write);
        Dirty(Moving + 0x2000);
        Assert.Equal([0, 1, 2], Harvest(2));
    }

    [Fact]
    public void After_disarming_a_write_faults_once_more_and_is_not_logged()
    {
        Fault(Large, MemoryAccess.Write);
        _bed.Finish(_bed.Pager.Arm(1, DirtyLogging.WriteProtection));
        _bed.Pager.Disarm(1);
        Assert.Equal(SlotFault.MadeWritable, Fault(Large, MemoryAccess.Write));
        Assert.Equal(1, _bed.LeafOf(Large).Level);
        Assert.Contains(
            "slot 1", Assert.Throws<InvalidOperationException>(() => _bed.Pager.Harvest(1, _bitmap, out long _)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DirtyLogging.WriteProtection)]
    [InlineData(DirtyLogging.DirtyBits)]
    public void Recovering_after_logging_gives_the_right_to_write_and_the_large_pages_back(DirtyLogging logging)
    {
        Fault(Large, MemoryAccess.Write);
        ulong before = _bed.LeafOf(Large).Leaf;
        _bed.Finish(_bed.Pager.Arm(1, logging));
        Fault(Large + 0x3000, MemoryAccess.Write);
        Dirty(Large + 0x3000);
        Fault(Large + 0x20_0000, MemoryAccess.Read);
        Assert.Throws<InvalidOperationException>(() => _bed.Finish(_bed.Pager.Recover(1)));
        _bed.Pager.Disarm(1);
        _bed.Finish(_bed.Pager.Recover(1));
        Assert.Equal((before, 1), (_bed.LeafOf(Large).Leaf, _bed.LeafOf(Large).Level));
        Assert.Equal((0, true), (_bed.LeafOf(Large + 0x20_0000).Level, IsWritable(Large + 0x20_0000)));
        Assert.Equal(1, _bed.Pool.FreeTables);
        Assert.False(_bed.Pager.Recover(1).IsNeeded);
    }

    [Fact]
    public void A_slot_that_the_second_stage_does_not_reach_is_refused()
    {
        MemorySlot far = MigrationBed<TFormat>.Slot(9, 1UL << 48, 1);
        Assert.Contains("48", Assert.Throws<ArgumentException>(() => _bed.Pager.Add(far)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => _bed.Finish(_bed.Pager.Move(1, far.Start)));
    }

    [Fact]
    public void Faults_on_tables_that_exist_and_harvests_allocate_nothing()
    {
        _bed.Finish(_bed.Pager.Arm(1, DirtyLogging.WriteProtection));
        _bed.Finish(_bed.Pager.Arm(2, DirtyLogging.DirtyBits));
        long least = long.MaxValue;
        for (int round = 0; round < 5 && least != 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (ulong page = 0; page < 64; page++)
            {
                Fault(Large + (page << 12), MemoryAccess.Write);
                Fault(Moving + (page << 12), MemoryAccess.Write);
            }

            _bed.Finish(_bed.Pager.Harvest(1, _bitmap, out long _));
            _bed.Finish(_bed.Pager.Harvest(2, _bitmap, out long _));
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }

    private SlotFault Fault(ulong gpa, MemoryAccess access)
    {
        SlotFault fault = _bed.Pager.HandleFault(gpa, access, out PendingInvalidation pending);
        _bed.Finish(pending);
        return fault;
    }

    private bool IsWritable(ulong gpa) => (TFormat.Rights(_bed.LeafOf(gpa).Leaf) & AccessRights.Write) != 0;

    private void Dirty(ulong gpa) => _bed.SetDirty(gpa);

    private long[] Harvest(int id)
    {
        _bed.Finish(_bed.Pager.Harvest(id, _bitmap, out long count));
        long[] pages = [.. Enumerable.Range(0, 1024).Where(page => (_bitmap[page / 64] >> (page % 64) & 1) != 0).Select(page => (long)page)];
        Assert.Equal(count, pages.Length);
        Array.Clear(_bitmap);
        return pages;
    }
}

public sealed class EptSlotPagerTests : SlotPagerTests<EptFormat>;

public sealed class NptSlotPagerTests : SlotPagerTests<NptFormat>;
