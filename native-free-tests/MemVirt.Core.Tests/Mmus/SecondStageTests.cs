using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Tests.Walking;

namespace MemVirt.Core.Tests.Mmus;

/// <summary>What the second stage adds; a format is a subclass of one line.</summary>
public abstract class SecondStageTests<TFormat> : IDisposable
    where TFormat : struct, IPageTableFormat
{
    private const ulong A = 0x1000_0000;
    private const ulong P = NestedTestbed<EptFormat>.Data;
    private readonly NestedBed<TFormat> _bed = new();

    public void Dispose()
    {
        _bed.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void A_store_sets_the_second_stages_dirty_bit_and_a_read_does_not()
    {
        ulong entry = _bed.Host.EntryAt(P, 0);
        _bed.Map(A, P, PageSize.Size4K, AccessRights.All, dirty: true);
        _bed.Translate(A, MemoryAccess.Read);
        Assert.Equal(0UL, _bed.Host.Read(entry) & TFormat.DirtyBit);
        _bed.Translate(A, MemoryAccess.Write);
        Assert.NotEqual(0UL, _bed.Host.Read(entry) & TFormat.DirtyBit);
    }

    [Fact]
    public void A_guest_table_in_a_read_only_page_cannot_be_walked()
    {
        _bed.Map(A, P, PageSize.Size4K, AccessRights.All, dirty: false);
        ulong root = _bed.RootTable;
        _bed.Host.Map(root, root + _bed.Offset, rights: AccessRights.All & ~AccessRights.Write);
        Assert.Equal(TranslationStatus.SecondStageProtection, _bed.Translate(A, MemoryAccess.Read).Status);
    }

    [Fact]
    public void A_guest_physical_address_above_48_bits_does_not_wrap()
    {
        _bed.Map(A, P | (1UL << 48), PageSize.Size4K, AccessRights.All, dirty: false);
        Assert.Equal(TranslationStatus.SecondStageNotPresent, _bed.Translate(A, MemoryAccess.Read).Status);
    }

    [Fact]
    public void A_violation_does_not_recur_once_the_second_stage_grants_the_access()
    {
        _bed.Map(A, P, PageSize.Size4K, AccessRights.All, dirty: true);
        _bed.Host.Map(P, P + _bed.Offset, rights: AccessRights.All & ~AccessRights.Write);
        Assert.Equal(TranslationStatus.Ok, _bed.Translate(A, MemoryAccess.Read).Status);
        Assert.Equal(TranslationStatus.SecondStageProtection, _bed.Translate(A, MemoryAccess.Write).Status);
        _bed.Host.Map(P, P + _bed.Offset);
        Assert.Equal(TranslationStatus.Ok, _bed.Translate(A, MemoryAccess.Write).Status);
    }

    [Fact]
    public void A_remapped_page_is_seen_after_everything_is_invalidated()
    {
        _bed.Map(A, P, PageSize.Size4K, AccessRights.All, dirty: true);
        Assert.Equal(P + _bed.Offset, _bed.Translate(A, MemoryAccess.Read).Hpa);
        _bed.Host.Map(P, 0x7000_0000);
        Assert.Equal(P + _bed.Offset, _bed.Translate(A, MemoryAccess.Read).Hpa);
        _bed.Invalidate(TlbInvalidation.All);
        Assert.Equal(0x7000_0000UL, _bed.Translate(A, MemoryAccess.Read).Hpa);
    }
}

public sealed class EptSecondStageTests : SecondStageTests<EptFormat>
{
    [Fact]
    public void An_execute_only_page_can_be_fetched_from_and_not_read()
    {
        using var bed = new NestedBed<EptFormat>();
        bed.Map(0x1000_0000, NestedTestbed<EptFormat>.Data, PageSize.Size4K, AccessRights.All, dirty: true);
        bed.Host.Map(NestedTestbed<EptFormat>.Data, 0x7000_0000, rights: AccessRights.Execute);
        Assert.Equal(TranslationStatus.Ok, bed.Translate(0x1000_0000, MemoryAccess.Fetch).Status);
        Assert.Equal(TranslationStatus.SecondStageProtection, bed.Translate(0x1000_0000, MemoryAccess.Read).Status);
    }
}

public sealed class NptSecondStageTests : SecondStageTests<NptFormat>
{
    [Fact]
    public void A_page_without_user_is_refused_because_every_guest_access_is_a_user_access()
    {
        using var bed = new NestedBed<NptFormat>();
        bed.Map(0x1000_0000, NestedTestbed<NptFormat>.Data, PageSize.Size4K, AccessRights.All, dirty: true);
        bed.Host.Map(NestedTestbed<NptFormat>.Data, 0x7000_0000, rights: AccessRights.All & ~AccessRights.User);
        Assert.Equal(TranslationStatus.SecondStageProtection, bed.Translate(0x1000_0000, MemoryAccess.Read).Status);
    }
}
