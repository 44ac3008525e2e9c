using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Mapping;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tests.Tlb;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Mapping;

/// <summary>What is pending is enough for a real MMU, and needed.</summary>
public sealed class PendingInvalidationTests : IDisposable
{
    private const ulong A = 0x7F00_0000_0000;
    private const ulong Frame = 1UL << 32;
    private static readonly PagingContext Context = new(VirtualProcessor: 1, ProcessContext: 2, User: true);
    private readonly EditorBed<X64FourLevel> _bed = new();
    private readonly Mmu<TwoStageSource<X64FourLevel, IdentityStage, HostTableReader>> _mmu;

    public PendingInvalidationTests()
    {
        _mmu = MmuFactory.Native(_bed.Memory, _bed.Root);
        _mmu.SwitchContext(Context);
    }

    public static TheoryData<bool> Ways() => [false, true];

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void An_edit_left_stale_is_not_seen_and_an_applied_one_is()
    {
        _bed.Map(A, Frame, dirty: true).LeaveStale("nothing cached");
        Assert.Equal(TranslationStatus.Ok, Translate(A, MemoryAccess.Write, out _));
        _bed.Protect(A, 4096, AccessRights.Read | AccessRights.User).LeaveStale("to show what that does");
        Assert.Equal(TranslationStatus.Ok, Translate(A, MemoryAccess.Write, out _));
        _bed.Protect(A, 4096, AccessRights.All).LeaveStale("grants only");
        _bed.Pool.Return(_bed.Protect(A, 4096, AccessRights.Read | AccessRights.User).Apply(_mmu, Context));
        Assert.Equal(TranslationStatus.GuestProtection, Translate(A, MemoryAccess.Write, out _));
    }

    [Fact]
    public void A_few_pages_are_forgotten_one_by_one_and_more_all_at_once()
    {
        for (ulong page = 0; page < 40; page++)
        {
            _bed.Map(A + (page << 12), Frame + (page << 12), dirty: true).LeaveStale("nothing cached");
            Translate(A + (page << 12), MemoryAccess.Read, out _);
        }

        long walks = _mmu.Walks;
        _bed.Pool.Return(_bed.Protect(A, 2 << 12, AccessRights.Read | AccessRights.User).Apply(_mmu, Context));
        Assert.Equal(TranslationStatus.Ok, Translate(A + 0x2000, MemoryAccess.Read, out _));
        Assert.Equal(walks, _mmu.Walks);
        Assert.Equal(TranslationStatus.Ok, Translate(A + 0x1000, MemoryAccess.Read, out _));
        Assert.Equal(walks + 1, _mmu.Walks);
        _bed.Pool.Return(_bed.Protect(A, 33 << 12, AccessRights.User | AccessRights.Read).Apply(_mmu, Context));
        Assert.Equal(TranslationStatus.Ok, Translate(A + (39 << 12), MemoryAccess.Read, out _));
        Assert.Equal(walks + 2, _mmu.Walks);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void After_each_of_many_random_edits_the_MMU_answers_from_the_tables(bool namesContext)
    {
        for (ulong seed = 1; seed <= 20; seed++)
        {
            var random = new SplitMix(seed);
            for (int step = 0; step < 300; step++)
            {
                PendingInvalidation pending = RandomEdit(random);
                if (pending.Status == EditStatus.Done)
                {
                    _bed.Pool.Return(pending.Apply(_mmu, namesContext ? Context : null));
                }

                for (int look = 0; look < 20; look++)
                {
                    ulong address = A + ((ulong)random.Below(1024) << 12) + 0x123;
                    MemoryAccess access = random.Chance(50) ? MemoryAccess.Write : MemoryAccess.Read;
                    (ulong leaf, _, _) = _bed.LeafOf(address);
                    TranslationStatus expected = leaf == 0 ? TranslationStatus.GuestNotPresent
                        : ((AccessRights)access & ~X64FourLevel.Rights(leaf)) != 0 ? TranslationStatus.GuestProtection : TranslationStatus.Ok;
                    TranslationStatus found = Translate(address, access, out ulong hpa);
                    Assert.True(
                        expected == found,
                        $"seed {seed}, step {step}: {access} of 0x{address:x}: {expected} expected, {found} found");
                    Assert.True(
                        found != TranslationStatus.Ok || hpa == _bed.FrameOf(address) + 0x123,
                        $"seed {seed}, step {step}: 0x{address:x}");
                }
            }
        }
    }

    [Fact]
    public void A_processor_that_does_not_answer_makes_completing_fail_and_it_can_be_tried_again()
    {
        _bed.Bus[0].Resume();
        _bed.Map(A, Frame).LeaveStale("nothing cached");
        PendingInvalidation pending = _bed.Unmap(A, 4096);
        Assert.False(pending.TryComplete(_bed.Bus, TimeSpan.FromMilliseconds(5), out ReusableTables none));
        Assert.Equal(0, none.Count);
        while (_bed.Bus[0].TryTake(out TlbInvalidation invalidation))
        {
            _mmu.Invalidate(in invalidation);
        }

        _bed.Bus[0].Park();
        Assert.True(pending.TryComplete(_bed.Bus, TimeSpan.FromMilliseconds(5), out ReusableTables tables, Context));
        Assert.Equal(3, tables.Count);
    }

    [Fact]
    public void No_reason_is_no_reason_to_leave_it_stale()
        => Assert.Throws<ArgumentException>(() => _bed.Map(A, Frame).LeaveStale(" "));

    private TranslationStatus Translate(ulong address, MemoryAccess access, out ulong hpa)
    {
        TranslationStatus status = _mmu.Translate(GuestVirtualAddress.Create(address), access, out HostPhysicalAddress found);
        hpa = found.Value;
        return status;
    }

    private PendingInvalidation RandomEdit(SplitMix random)
    {
        bool isLarge = random.Chance(30);
        ulong address = A + (isLarge ? (ulong)random.Below(2) << 21 : (ulong)random.Below(1024) << 12);
        ulong length = isLarge ? 1UL << 21 : (ulong)(1 + random.Below(40)) << 12;
        AccessRights rights = AccessRights.Read | AccessRights.User | (random.Chance(50) ? AccessRights.Write : AccessRights.None);
        ulong frame = Frame + ((ulong)random.Below(2) << 30) + (address - A);
        return random.Below(6) switch
        {
            0 or 1 => _bed.Map(address, frame, isLarge ? PageSize.Size2M : PageSize.Size4K, rights, dirty: random.Chance(50)),
            2 => _bed.Unmap(address, length),
            3 => _bed.Protect(address, length, rights),
            4 => _bed.Split(address),
            _ => _bed.Merge(address),
        };
    }
}
