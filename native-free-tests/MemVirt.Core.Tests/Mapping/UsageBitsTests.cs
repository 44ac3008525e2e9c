using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Tests.Tlb;

namespace MemVirt.Core.Tests.Mapping;

/// <summary>
/// No dirty bit that a processor sets during an edit is lost: once at every point of the edit in turn, once in real time.
/// </summary>
public abstract class UsageBitsTests<TFormat>
    where TFormat : struct, IPageTableFormat
{
    private const ulong Base = 1UL << 30;
    private const ulong RegionBytes = 1UL << 21;
    private const AccessRights Fewer = AccessRights.Read | AccessRights.User;

    private delegate PendingInvalidation Edit(ref InterferingSpace<TFormat> space, ulong root);

    [Fact]
    public void A_write_at_any_point_of_a_protection_stays_dirty()
        => AtEveryPoint(isSplit: true, (ref InterferingSpace<TFormat> space, ulong root)
            => PageTableEditor<TFormat, InterferingSpace<TFormat>>.Protect(ref space, root, new AddressRange(Base, RegionBytes), Fewer));

    [Fact]
    public void A_write_at_any_point_of_a_split_stays_dirty()
        => AtEveryPoint(isSplit: false, (ref InterferingSpace<TFormat> space, ulong root)
            => PageTableEditor<TFormat, InterferingSpace<TFormat>>.Split(ref space, root, Base));

    [Fact]
    public void A_write_at_any_point_of_a_merge_stays_dirty()
        => AtEveryPoint(isSplit: true, (ref InterferingSpace<TFormat> space, ulong root)
            => PageTableEditor<TFormat, InterferingSpace<TFormat>>.Merge(ref space, root, Base, PageSize.Size2M));

    [Fact]
    public void Writes_of_a_thread_stay_dirty_while_another_edits()
    {
        for (ulong seed = 1; seed <= 40; seed++)
        {
            using var bed = new EditorBed<TFormat>();
            bed.Map(Base, 1UL << 32, PageSize.Size2M).LeaveStale("nobody runs");
            var written = new bool[512];
            using var start = new Barrier(2);
            var processor = new Thread(() => WriteSome(bed, written, start, seed));
            processor.Start();
            start.SignalAndWait();
            for (int edit = 0; edit < 30; edit++)
            {
                bed.Finish(bed.Protect(Base, RegionBytes, edit % 2 == 0 ? Fewer : AccessRights.All));
                bed.Finish(edit % 2 == 0 ? bed.Split(Base) : bed.Merge(Base));
            }

            processor.Join();
            for (int page = 0; page < written.Length; page++)
            {
                Assert.True(
                    IsDirty(bed, Base + ((ulong)page << 12)) || !written[page],
                    $"seed {seed}: the dirty bit of page {page} is lost");
            }
        }
    }

    private static void AtEveryPoint(bool isSplit, Edit edit)
    {
        int seen = 0;
        for (int entriesBefore = 0; entriesBefore < 2; entriesBefore++)
        {
            bool reached = true;
            for (int step = 0; reached; step += step < 12 ? 1 : 5)
            {
                using var bed = new EditorBed<TFormat>();
                bed.Map(Base, 1UL << 32, PageSize.Size2M).LeaveStale("nobody runs");
                if (isSplit)
                {
                    bed.Finish(bed.Split(Base));
                }

                var plan = new InterferingSpace<TFormat>.Plan(Base, step, entriesBefore);
                var space = new InterferingSpace<TFormat>(bed, plan);
                bed.Finish(edit(ref space, bed.Root));
                reached = plan.IsReached;
                if (plan.Written is { } address)
                {
                    seen++;
                    Assert.True(IsDirty(bed, address), $"The write to 0x{address:x} before operation {step} is lost.");
                }
            }
        }

        Assert.True(seen > 20, $"Only {seen} writes were made.");
    }

    private static bool IsDirty(EditorBed<TFormat> bed, ulong address) => (bed.LeafOf(address).Leaf & TFormat.DirtyBit) != 0;

    private static void WriteSome(EditorBed<TFormat> bed, bool[] written, Barrier start, ulong seed)
    {
        var random = new SplitMix(seed);
        start.SignalAndWait();
        for (int write = 0; write < 40; write++)
        {
            // False where a merge leaves nothing present for a moment: a fault, and no store.
            int page = random.Below(written.Length);
            written[page] |= bed.Touch(Base + ((ulong)page << 12), TFormat.AccessedBit | TFormat.DirtyBit);
            Thread.SpinWait(random.Below(2000));
        }
    }
}

public sealed class X64UsageBitsTests : UsageBitsTests<X64FourLevel>;

public sealed class EptUsageBitsTests : UsageBitsTests<EptFormat>;

public sealed class NptUsageBitsTests : UsageBitsTests<NptFormat>;
