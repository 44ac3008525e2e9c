using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Tests.Tlb;

namespace MemVirt.Core.Tests.Mapping;

/// <summary>
/// A processor that sets dirty bits by compare-exchange while an editor protects, splits and merges the same pages: each bit it has
/// set is there afterwards.
/// </summary>
public abstract class ConcurrentUsageBitsTests<TFormat>
    where TFormat : struct, IPageTableFormat
{
    private const ulong Base = 1UL << 30;
    private const int Pages = 512;
    private const int Rounds = 40;

    [Fact]
    public void No_dirty_bit_is_lost_while_pages_are_protected_split_and_merged()
    {
        for (ulong seed = 1; seed <= Rounds; seed++)
        {
            using var bed = new EditorBed<TFormat>();
            bed.Map(Base, 1UL << 32, PageSize.Size2M).LeaveStale("nobody runs");
            var touched = new bool[Pages];
            using var start = new Barrier(2);
            var processor = new Thread(() => Touch(bed, touched, start, seed));
            processor.Start();
            start.SignalAndWait();
            for (int edit = 0; edit < 30; edit++)
            {
                Edit(bed, edit);
            }

            processor.Join();
            for (int page = 0; page < Pages; page++)
            {
                bool dirty = (bed.LeafOf(Base + ((ulong)page << 12)).Leaf & TFormat.DirtyBit) != 0;
                Assert.True(dirty || !touched[page], $"seed {seed}: the dirty bit of page {page} is lost");
            }

            Assert.Contains(true, touched);
        }
    }

    private static void Edit(EditorBed<TFormat> bed, int edit)
    {
        AccessRights rights = edit % 2 == 0 ? AccessRights.All & ~AccessRights.Execute : AccessRights.All;
        bed.Finish(bed.Protect(Base, 1UL << 21, rights));
        if (edit % 3 == 0)
        {
            bed.Finish(bed.Split(Base + 0x5000));
        }
        else if (edit % 3 == 1)
        {
            bed.Finish(bed.Merge(Base));
        }
    }

    private static void Touch(EditorBed<TFormat> bed, bool[] touched, Barrier start, ulong seed)
    {
        var random = new SplitMix(seed);
        start.SignalAndWait();
        for (int touch = 0; touch < 400; touch++)
        {
            int page = random.Below(Pages);

            // False where a merge leaves nothing present for a moment: a fault, and no store.
            touched[page] |= bed.Touch(Base + ((ulong)page << 12), TFormat.AccessedBit | TFormat.DirtyBit);
        }
    }
}

public sealed class X64ConcurrentUsageBitsTests : ConcurrentUsageBitsTests<X64FourLevel>;

public sealed class EptConcurrentUsageBitsTests : ConcurrentUsageBitsTests<EptFormat>;

public sealed class NptConcurrentUsageBitsTests : ConcurrentUsageBitsTests<NptFormat>;
