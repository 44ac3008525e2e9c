using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Tests.Walking;

namespace MemVirt.Core.Tests.Mmus;

/// <summary>What an MMU of any regime does for its guest.</summary>
public abstract class MmuConformance : IDisposable
{
    private const ulong A = 0x7F12_4000_0000;
    private const ulong P = NestedTestbed<EptFormat>.Data;
    private const ulong Q = P + 0x20_0000;
    private const ulong Dirty = 1UL << 6;
    private readonly IMmuBed _bed;

    protected MmuConformance(IMmuBed bed) => _bed = bed;

    public static TheoryData<InvalidationScope> Scopes() => [.. Enum.GetValues<InvalidationScope>()];

    public void Dispose()
    {
        _bed.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void A_second_access_hits()
    {
        _bed.Map(A, P);
        Expect(P + 0x123, A + 0x123);
        Expect(P + 0x456, A + 0x456);
        Assert.Equal(1, _bed.Walks);
    }

    [Fact]
    public void An_address_that_is_not_mapped_faults_and_is_found_once_it_is_mapped()
    {
        Assert.Equal(TranslationStatus.GuestNotPresent, _bed.Translate(A, MemoryAccess.Read).Status);
        _bed.Map(A, P);
        Expect(P, A);
    }

    [Fact]
    public void Write_to_a_clean_page_walks_again_and_sets_dirty_in_the_leaf_only()
    {
        ulong entry = _bed.Map(A, P);
        Expect(P, A);
        Assert.Equal(0UL, _bed.Read(entry) & Dirty);
        long walks = _bed.Walks;
        Expect(P, A, MemoryAccess.Write);
        Assert.Equal(walks + 1, _bed.Walks);
        Assert.Equal(Dirty, _bed.Read(entry) & Dirty);
        Expect(P, A, MemoryAccess.Write);
        Assert.Equal(walks + 1, _bed.Walks);
    }

    [Fact]
    public void A_first_access_that_stores_sets_dirty()
    {
        ulong entry = _bed.Map(A, P);
        Expect(P, A, MemoryAccess.Write);
        Assert.Equal(Dirty, _bed.Read(entry) & Dirty);
    }

    [Fact]
    public void A_forbidden_store_faults_and_leaves_dirty_clear()
    {
        ulong entry = _bed.Map(A, P, rights: AccessRights.Read | AccessRights.User);
        Assert.Equal(TranslationStatus.GuestProtection, _bed.Translate(A, MemoryAccess.Write).Status);
        Expect(P, A);
        Assert.Equal(TranslationStatus.GuestProtection, _bed.Translate(A, MemoryAccess.Write).Status);
        Assert.Equal(0UL, _bed.Read(entry) & Dirty);
    }

    [Fact]
    public void An_access_sets_accessed_bits_at_every_level()
    {
        ulong entry = _bed.Map(A, P);
        _bed.Write(entry, _bed.Read(entry) & ~(1UL << 5));
        Expect(P, A);
        Assert.NotEqual(0UL, _bed.Read(entry) & (1 << 5));
    }

    [Fact]
    public void A_fetch_from_a_page_without_execute_faults()
    {
        _bed.Map(A, P, rights: AccessRights.All & ~AccessRights.Execute);
        Expect(P, A);
        Assert.Equal(TranslationStatus.GuestProtection, _bed.Translate(A, MemoryAccess.Fetch).Status);
    }

    [Fact]
    public void What_the_supervisor_has_cached_user_mode_may_not_use()
    {
        _bed.Map(A, P, rights: AccessRights.All & ~AccessRights.User);
        Expect(P, A);
        _bed.Switch(new PagingContext(0, 0, User: true));
        Assert.Equal(TranslationStatus.GuestProtection, _bed.Translate(A, MemoryAccess.Read).Status);
        _bed.Switch(default);
        Expect(P, A);
    }

    [Fact]
    public void A_change_of_context_and_back_keeps_what_is_cached()
    {
        _bed.Map(A, P);
        Expect(P, A);
        _bed.Switch(new PagingContext(0, 7, User: false));
        _bed.Switch(default);
        Expect(P, A);
        Assert.Equal(1, _bed.Walks);
    }

    [Theory]
    [MemberData(nameof(Scopes))]
    public void A_stale_translation_goes_with_an_invalidation_of_every_scope(InvalidationScope scope)
    {
        ulong entry = _bed.Map(A, P);
        Expect(P, A, MemoryAccess.Write);
        _bed.Write(entry, X64FourLevel.LeafEntry(Q, 0, AccessRights.All, dirty: true));
        Expect(P, A, MemoryAccess.Write);
        _bed.Invalidate(Of(scope, A));
        Expect(Q, A, MemoryAccess.Write);
    }

    [Theory]
    [MemberData(nameof(Scopes))]
    public void A_page_unmapped_and_invalidated_faults(InvalidationScope scope)
    {
        ulong entry = _bed.Map(A, P);
        Expect(P, A);
        _bed.Write(entry, 0);
        _bed.Invalidate(Of(scope, A));
        Assert.Equal(TranslationStatus.GuestNotPresent, _bed.Translate(A, MemoryAccess.Read).Status);
    }

    [Theory]
    [MemberData(nameof(Scopes))]
    public void Write_taken_away_at_an_upper_level_holds_after_an_invalidation(InvalidationScope scope)
    {
        _bed.Map(A, P, dirty: true);
        Expect(P, A, MemoryAccess.Write);
        ulong pde = EntryOf(A, 1);
        _bed.Write(pde, _bed.Read(pde) & ~2UL, level: 1);
        _bed.Invalidate(Of(scope, A));
        Assert.Equal(TranslationStatus.GuestProtection, _bed.Translate(A, MemoryAccess.Write).Status);
        Expect(P, A);
    }

    [Fact]
    public void A_fault_through_a_cached_upper_entry_does_not_recur_once_the_entry_grants_the_access()
    {
        _bed.Map(A, P);
        ulong pde = EntryOf(A, 1);
        _bed.Write(pde, _bed.Read(pde) & ~2UL, level: 1);
        Expect(P, A);
        Assert.Equal(TranslationStatus.GuestProtection, _bed.Translate(A, MemoryAccess.Write).Status);
        _bed.Write(pde, _bed.Read(pde) | 2, level: 1);
        _bed.Translate(A, MemoryAccess.Write);
        Expect(P, A, MemoryAccess.Write);
    }

    [Fact]
    public void An_address_invalidation_drops_every_piece_of_a_large_page()
    {
        ulong entry = _bed.Map(A, P, PageSize.Size2M, dirty: true);
        Expect(P, A);
        Expect(P + 0x5000, A + 0x5000);
        _bed.Write(entry, X64FourLevel.LeafEntry(Q, 1, AccessRights.All, dirty: true), level: 1);
        _bed.Invalidate(TlbInvalidation.OfAddress(0, 0, GuestVirtualAddress.Create(A + 0x9000)));
        Expect(Q + 0x5000, A + 0x5000);
        Expect(Q, A);
    }

    [Fact]
    public void Every_context_number_can_be_used_up()
    {
        ulong entry = _bed.Map(A, P, dirty: true);
        Expect(P, A);
        for (int flush = 0; flush < 131_071 + 10; flush++)
        {
            _bed.Invalidate(TlbInvalidation.OfContext(0, 0));
            if (flush % 4096 == 0 || flush > 131_060)
            {
                ulong page = (flush & 1) == 0 ? Q : P;
                _bed.Write(entry, X64FourLevel.LeafEntry(page, 0, AccessRights.All, dirty: true));
                _bed.Invalidate(TlbInvalidation.OfContext(0, 0));
                Expect(page, A);
            }
        }
    }

    private static TlbInvalidation Of(InvalidationScope scope, ulong address) => scope switch
    {
        InvalidationScope.Address => TlbInvalidation.OfAddress(0, 0, GuestVirtualAddress.Create(address)),
        InvalidationScope.Context => TlbInvalidation.OfContext(0, 0),
        InvalidationScope.VirtualProcessor => TlbInvalidation.OfVirtualProcessor(0),
        _ => TlbInvalidation.All,
    };

    /// <summary>The entry of an upper level on the way to an address, found by mapping a 4K page beside it.</summary>
    private ulong EntryOf(ulong address, int level)
    {
        ulong table = _bed.RootTable;
        for (int upper = 3; upper > level; upper--)
        {
            table = TableGeometry.TableAddress(_bed.Read(table + TableGeometry.EntryOffset(address, upper)));
        }

        return table + TableGeometry.EntryOffset(address, level);
    }

    private void Expect(ulong gpa, ulong address, MemoryAccess access = MemoryAccess.Read)
        => Assert.Equal((TranslationStatus.Ok, gpa + _bed.Offset), _bed.Translate(address, access));
}

public sealed class NativeMmuTests() : MmuConformance(new NativeBed());

public sealed class EptMmuTests() : MmuConformance(new NestedBed<EptFormat>());

public sealed class NptMmuTests() : MmuConformance(new NestedBed<NptFormat>());

public sealed class ShadowMmuTests() : MmuConformance(new ShadowBed());
