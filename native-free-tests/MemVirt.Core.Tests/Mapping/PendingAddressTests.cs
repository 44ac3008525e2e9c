using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;

namespace MemVirt.Core.Tests.Mapping;

/// <summary>The addresses that an edit asks processors to forget are those they use: canonical for the format's levels.</summary>
public sealed class PendingAddressTests : IDisposable
{
    private readonly SparseMemory _memory = new();

    public void Dispose() => _memory.Dispose();

    [Theory]
    [InlineData(0x0000_7FFF_FFFF_F000UL, 0x0000_7FFF_FFFF_F000UL)]
    [InlineData(0x0000_8000_0000_0000UL, 0xFFFF_8000_0000_0000UL)]
    public void Four_levels_extend_bit_47(ulong edited, ulong forgotten) => Check<X64FourLevel>(edited, forgotten);

    [Theory]
    [InlineData(0x0000_8000_0000_0000UL, 0x0000_8000_0000_0000UL)]
    [InlineData(0x0100_0000_0000_0000UL, 0xFF00_0000_0000_0000UL)]
    public void Five_levels_extend_bit_56(ulong edited, ulong forgotten) => Check<FiveLevels<X64FourLevel>>(edited, forgotten);

    private void Check<TFormat>(ulong edited, ulong forgotten)
        where TFormat : struct, IPageTableFormat
    {
        var tables = new TablePool(_memory, new FrameAllocator(0x1000, 1UL << 30));
        PooledTableSpace space = tables.Space;
        ulong root = space.AllocateTable();
        var bus = new InvalidationBus(1);
        bus[0].Resume();
        PageTableEditor<TFormat, PooledTableSpace>.Map(
            ref space, root, edited, HostPhysicalAddress.Create(1UL << 31), PageSize.Size4K, AccessRights.All).LeaveStale("Nobody runs yet.");
        PendingInvalidation pending = PageTableEditor<TFormat, PooledTableSpace>.Protect(
            ref space, root, new AddressRange(edited, 4096), AccessRights.Read);
        Assert.False(pending.TryComplete(bus, TimeSpan.Zero, out _, new PagingContext(0, 5, User: false)));
        Assert.True(bus[0].TryTake(out TlbInvalidation invalidation));
        Assert.Equal((InvalidationScope.Address, (ushort)5, forgotten), (invalidation.Scope, invalidation.ProcessContext, invalidation.Address.Value));
    }
}
