using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Tests.Walking;

namespace MemVirt.Core.Tests.Mmus;

/// <summary>Once warm, no call of the MMU allocates.</summary>
public class AllocationTests
{
    private const ulong A = 0x7F12_4000_0000;
    private const int Pages = 512;

    public static TheoryData<string> Regimes() => ["native", "ept", "npt", "shadow"];

    [Theory]
    [MemberData(nameof(Regimes))]
    public void Hits_walks_and_faults_allocate_nothing(string regime)
    {
        using IMmuBed bed = Make(regime);
        NothingIsAllocated(() =>
        {
            for (ulong page = 0; page < Pages + 8; page++)
            {
                bed.Translate(A + (page << 12), MemoryAccess.Read);
                bed.Translate(A + (page << 12), MemoryAccess.Write);
            }

            bed.Invalidate(TlbInvalidation.All);
        });
    }

    [Theory]
    [MemberData(nameof(Regimes))]
    public void Invalidations_of_every_scope_allocate_nothing(string regime)
    {
        using IMmuBed bed = Make(regime);
        NothingIsAllocated(() =>
        {
            for (int round = 0; round < 200; round++)
            {
                bed.Translate(A, MemoryAccess.Read);
                bed.Invalidate(TlbInvalidation.OfAddress(0, 0, GuestVirtualAddress.Create(A)));
                bed.Translate(A, MemoryAccess.Read);
                bed.Invalidate(TlbInvalidation.OfContext(0, 0));
                bed.Translate(A, MemoryAccess.Read);
                bed.Invalidate(TlbInvalidation.OfVirtualProcessor(0));
                bed.Switch(new PagingContext(1, (ushort)round, User: true));
                bed.Invalidate(TlbInvalidation.All);
                bed.Switch(default);
            }
        });
    }

    [Fact]
    public void Shadow_faults_on_tables_that_exist_allocate_nothing()
    {
        using var bed = new ShadowBed();
        var entries = new ulong[64];
        for (ulong page = 0; page < 64; page++)
        {
            entries[page] = bed.Map(A + (page << 12), NestedTestbed<EptFormat>.Data + (page << 12), PageSize.Size4K, AccessRights.All, true);
        }

        NothingIsAllocated(() =>
        {
            foreach (ulong entry in entries)
            {
                ulong word = bed.Read(entry);
                bed.Write(entry, 0, 0);
                bed.Invalidate(TlbInvalidation.All);
                bed.Write(entry, word, 0);
                bed.Translate(A, MemoryAccess.Write);
                bed.Translate(A + 0x8000, MemoryAccess.Write);
            }
        });
    }

    private static IMmuBed Make(string regime)
    {
        IMmuBed bed = regime switch
        {
            "native" => new NativeBed(),
            "ept" => new NestedBed<EptFormat>(),
            "npt" => new NestedBed<NptFormat>(),
            _ => new ShadowBed(),
        };
        for (ulong page = 0; page < Pages; page++)
        {
            bed.Map(A + (page << 12), NestedTestbed<EptFormat>.Data + (page << 12));
        }

        return bed;
    }

    private static void NothingIsAllocated(Action work)
    {
        // Tiered compilation may allocate on the first rounds, and never on all of several.
        long least = long.MaxValue;
        for (int round = 0; round < 5 && least != 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            work();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }
}
