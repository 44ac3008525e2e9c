using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Tests.Registers;
using MemVirt.Core.Tests.Tlb;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Shadow;

/// <summary>Stores to read-only pages that CR0.WP = 0 lets a supervisor make.</summary>
public class SupervisorStoreTests
{
    private const ulong Base = 0x4000_0000;
    private const ulong Data = 1UL << 30;

    /// <summary>Two mappings of a large read-only page, CR0.WP clear: the pieces that a supervisor has made dirty through one are not the other's.</summary>
    [Fact]
    public void A_supervisors_first_store_through_another_large_page_sets_its_dirty_bit_too()
    {
        var registers = new PagingRegisters
        {
            Cr0 = Cr0.Paging | Cr0.ProtectionEnable, Cr4 = Cr4.PhysicalAddressExtension,
            Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
        };
        using var bench = new ShadowBench(rules: new GuestRules(ProcessorFeatures.Everything, registers));
        ulong[] pages = [Base, Base + 0x20_0000];
        ulong[] entries = [.. pages.Select(page => bench.EnsureEntry(page, 1))];
        foreach (ulong entry in entries)
        {
            bench.Write(entry, X64FourLevel.LeafEntry(Data, 1, AccessRights.Read, dirty: false), 1);
        }

        bench.Pager.LoadRoot(bench.Root);
        Mmu<ShadowSource<HostTableReader>> mmu = MmuFactory.Shadow(bench.Host, bench.Pager);
        foreach ((ulong page, ulong entry) in pages.Zip(entries))
        {
            Assert.Equal(TranslationStatus.Ok, mmu.TranslateAs(GuestVirtualAddress.Create(page), AccessRights.Read).Status);
            Assert.Equal(0UL, bench.Guest.Read(entry) & X64FourLevel.DirtyBit);
            Assert.Equal(TranslationStatus.Ok, mmu.TranslateAs(GuestVirtualAddress.Create(page), AccessRights.Write).Status);
            Assert.Equal(X64FourLevel.DirtyBit, bench.Guest.Read(entry) & X64FourLevel.DirtyBit);
        }
    }
}
