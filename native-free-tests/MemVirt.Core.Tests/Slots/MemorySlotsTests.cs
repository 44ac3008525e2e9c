using CsCheck;
using MemVirt.Core.Addresses;
using MemVirt.Core.Slots;

namespace MemVirt.Core.Tests.Slots;

public class MemorySlotsTests
{
    private const int PagesOfModel = 40;

    private static readonly Gen<Step> Steps =
        from kind in Gen.Int[0, 4]
        from id in Gen.Int[0, 5]
        from page in Gen.Int[0, PagesOfModel - 9]
        from pages in Gen.Int[1, 8]
        select new Step(kind, id, page, pages);

    [Fact]
    public void Slots_answer_as_a_list_of_pages_does_and_the_generation_grows_with_each_change()
        => Steps.Array[1, 40].Sample(
            steps =>
            {
                var slots = new MemorySlots();
                var model = new Dictionary<int, (int Page, int Pages, bool ReadOnly)>();
                foreach (Step step in steps)
                {
                    long generation = slots.Generation;
                    bool expected = Expect(model, step);
                    Assert.Equal(expected, Do(slots, step));
                    Assert.Equal(expected ? generation + 1 : generation, slots.Generation);
                    for (int page = 0; page < PagesOfModel; page++)
                    {
                        int? owner = model.Where(one => page >= one.Value.Page && page < one.Value.Page + one.Value.Pages)
                            .Select(one => (int?)one.Key).SingleOrDefault();
                        Assert.Equal(owner is not null, slots.TryFind(((ulong)page << 12) | 0xFFF, out MemorySlot? found));
                        Assert.Equal(owner, found?.Id);
                        if (found is not null)
                        {
                            Assert.Equal(model[found.Id].ReadOnly, found.IsReadOnly);
                            Assert.Equal(page - model[found.Id].Page, found.PageOf((ulong)page << 12));
                        }
                    }
                }
            },
            iter: 25);

    [Fact]
    public void A_snapshot_stays_what_it_was()
    {
        var slots = new MemorySlots();
        slots.Add(Slot(1, 0, 4));
        MemorySlotSnapshot before = slots.Current;
        slots.Move(1, GuestPhysicalAddress.Create(0x10_0000));
        Assert.True(before.TryFind(0x3000, out _));
        Assert.False(slots.TryFind(0x3000, out _));
        Assert.True(slots.Generation > before.Generation);
    }

    [Fact]
    public void Errors_are_one_line_that_names_both_slots()
    {
        var slots = new MemorySlots();
        slots.Add(Slot(1, 0, 4));
        Assert.Equal(
            "The slot 2 [0x3000, 0x5000) would overlap slot 1 [0x0, 0x4000).",
            Assert.Throws<ArgumentException>(() => slots.Add(Slot(2, 3, 2))).Message);
        Assert.Equal("There is a slot 1 [0x0, 0x4000) already.", Assert.Throws<ArgumentException>(() => slots.Add(Slot(1, 9, 2))).Message);
        Assert.Equal("There is no slot 7.", Assert.Throws<ArgumentException>(() => slots.Remove(7)).Message);
        Assert.Contains(
            "multiples of 4 KiB", Assert.Throws<ArgumentException>(() => slots.Add(Slot(3, 8, 1) with { LengthBytes = 0x800 })).Message, StringComparison.Ordinal);
        Assert.Contains(
            "52", Assert.Throws<ArgumentException>(() => slots.Add(Slot(3, 8, 1) with { LengthBytes = 1UL << 52 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_slot_may_move_onto_a_part_of_where_it_was()
    {
        var slots = new MemorySlots();
        slots.Add(Slot(1, 0, 4));
        slots.Move(1, GuestPhysicalAddress.Create(0x2000));
        Assert.False(slots.TryFind(0x1000, out _));
        Assert.True(slots.TryFind(0x5FFF, out _));
    }

    [Fact]
    public void The_log_goes_along_when_a_slot_moves_and_is_dropped_when_logging_ends()
    {
        var slots = new MemorySlots();
        slots.Add(Slot(1, 0, 130));
        DirtyLog log = slots.SetLogging(1, DirtyLogging.DirtyBits).Log!;
        log.Mark(129);
        Assert.Same(log, slots.Move(1, GuestPhysicalAddress.Create(0x100_0000)).Log);
        Assert.Same(log, slots.SetLogging(1, DirtyLogging.WriteProtection).Log);
        var bitmap = new ulong[log.WordCount];
        Assert.Equal(1, log.Harvest(bitmap));
        Assert.Equal([0, 0, 2], bitmap);
        Assert.Equal(0, log.Harvest(bitmap));
        Assert.Equal([0, 0, 0], bitmap);
        Assert.Throws<ArgumentException>(() => log.Harvest(new ulong[2]));
        Assert.Null(slots.SetLogging(1, DirtyLogging.Off).Log);
    }

    [Fact]
    public void Readers_that_never_lock_see_every_slot_at_one_place_while_slots_move()
    {
        var slots = new MemorySlots();
        slots.Add(Slot(1, 0, 4));
        bool stop = false;
        long wrong = 0;
        long looks = 0;
        var readers = Enumerable.Range(0, 2).Select(reader => new Thread(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                MemorySlotSnapshot now = slots.Current;
                bool low = now.TryFind(0x1000, out _);
                bool high = now.TryFind(0x10_1000, out _);
                Interlocked.Add(ref wrong, low == high ? 1 : 0);
                Interlocked.Increment(ref looks);
            }
        })).ToArray();
        Array.ForEach(readers, reader => reader.Start());
        for (int move = 0; move < 20_000 || Volatile.Read(ref looks) < 1000; move++)
        {
            slots.Move(1, GuestPhysicalAddress.Create(move % 2 == 0 ? 0x10_0000UL : 0));
        }

        Volatile.Write(ref stop, true);
        Array.ForEach(readers, reader => reader.Join());
        Assert.Equal(0, wrong);
    }

    private static MemorySlot Slot(int id, int page, int pages)
        => new(id, GuestPhysicalAddress.Create((ulong)page << 12), (ulong)pages << 12, HostPhysicalAddress.Create(1UL << 32));

    private static bool Expect(Dictionary<int, (int Page, int Pages, bool ReadOnly)> model, Step step)
    {
        bool isAdd = step.Kind == 0;
        if (model.ContainsKey(step.Id) == isAdd)
        {
            return false;
        }

        switch (step.Kind)
        {
            case 0 or 2:
                int pages = isAdd ? step.Pages : model[step.Id].Pages;
                if (model.Any(one => one.Key != step.Id && step.Page < one.Value.Page + one.Value.Pages && one.Value.Page < step.Page + pages))
                {
                    return false;
                }

                model[step.Id] = (step.Page, pages, !isAdd && model[step.Id].ReadOnly);
                return true;
            case 1:
                return model.Remove(step.Id);
            default:
                model[step.Id] = model[step.Id] with { ReadOnly = step.Kind == 3 };
                return true;
        }
    }

    private static bool Do(MemorySlots slots, Step step)
    {
        try
        {
            switch (step.Kind)
            {
                case 0:
                    slots.Add(Slot(step.Id, step.Page, step.Pages));
                    break;
                case 1:
                    slots.Remove(step.Id);
                    break;
                case 2:
                    slots.Move(step.Id, GuestPhysicalAddress.Create((ulong)step.Page << 12));
                    break;
                default:
                    slots.SetReadOnly(step.Id, step.Kind == 3);
                    break;
            }

            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private sealed record Step(int Kind, int Id, int Page, int Pages);
}
