using System.Diagnostics.Metrics;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Diagnostics;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Diagnostics;

public sealed class MmuMeterTests : IDisposable
{
    private const ulong Page = 0x40_0000;
    private readonly SparseMemory _memory = new();
    private readonly string _name = Guid.NewGuid().ToString();
    private readonly MmuMeter _meter;
    private readonly Mmu<TwoStageSource<X64FourLevel, IdentityStage, HostTableReader>> _mmu;

    public MmuMeterTests()
    {
        PooledTableSpace tables = new TablePool(_memory, new FrameAllocator(0x1000, 1 << 30)).Space;
        ulong cr3 = tables.AllocateTable();
        PageTableEditor<X64FourLevel, PooledTableSpace>.Map(
            ref tables, cr3, Page, HostPhysicalAddress.Create(0x20_0000), PageSize.Size4K, AccessRights.All).LeaveStale("a test");
        _meter = new MmuMeter(_name);
        _mmu = MmuFactory.Native(_memory, cr3);
        _mmu.Meter = _meter;
    }

    [Fact]
    public void Whoever_listens_sees_every_access()
    {
        var counts = new Dictionary<string, long>();
        using MeterListener listener = Listen(counts);
        for (int access = 0; access < 10; access++)
        {
            Assert.Equal(TranslationStatus.Ok, Translate(Page));
        }

        Assert.NotEqual(TranslationStatus.Ok, Translate(Page + 0x1000));
        _mmu.Invalidate(TlbInvalidation.All);
        Assert.Equal(TranslationStatus.Ok, Translate(Page));
        listener.RecordObservableInstruments();
        Assert.Equal(
            new Dictionary<string, long>
            {
                ["memvirt.mmu.hits"] = 9, ["memvirt.mmu.misses"] = 3, ["memvirt.mmu.walks"] = 2, ["memvirt.mmu.faults"] = 1,
                ["memvirt.mmu.invalidations"] = 1,
            },
            counts);
    }

    [Fact]
    public void A_listener_that_comes_later_is_noticed_at_the_next_walk_and_one_that_leaves_at_the_next_access()
    {
        Translate(Page);
        Translate(Page);
        var counts = new Dictionary<string, long>();
        using (MeterListener listener = Listen(counts))
        {
            // In the front, and so not seen.
            Translate(Page);
            Translate(Page + 0x1000);
            Translate(Page);
            Translate(Page);
            listener.RecordObservableInstruments();
        }

        Assert.Equal((2, 1, 1), (counts["memvirt.mmu.hits"], counts["memvirt.mmu.misses"], counts["memvirt.mmu.faults"]));
        Translate(Page);
        Translate(Page);
        counts.Clear();
        using MeterListener again = Listen(counts);
        again.RecordObservableInstruments();
        Assert.Equal(2, counts["memvirt.mmu.hits"]);
    }

    [Fact]
    public void A_meter_disposed_of_reports_nothing()
    {
        var counts = new Dictionary<string, long>();
        using MeterListener listener = Listen(counts);
        Translate(Page);
        _meter.Dispose();
        listener.RecordObservableInstruments();
        Assert.Empty(counts);
    }

    public void Dispose()
    {
        _meter.Dispose();
        _memory.Dispose();
    }

    private TranslationStatus Translate(ulong address)
        => _mmu.Translate(GuestVirtualAddress.Create(address), MemoryAccess.Read, out _);

    private MeterListener Listen(Dictionary<string, long> counts)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == MmuMeter.Name)
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, count, tags, _) =>
        {
            if (tags.Length == 1 && tags[0].Value as string == _name)
            {
                counts[instrument.Name] = count;
            }
        });
        listener.Start();
        return listener;
    }
}
