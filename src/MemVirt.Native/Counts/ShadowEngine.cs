using MemVirt.Core.Addresses;
using MemVirt.Core.Memory;
using MemVirt.Core.Shadow;
using MemVirt.Native.Guests;
using MemVirt.Native.Kvm;

namespace MemVirt.Native.Counts;

/// <summary>The engine's side: the shadow pager over the same guest tables at the same addresses, on host pages of 4 KiB.</summary>
internal sealed class ShadowEngine : IShadowSide, IDisposable
{
    private const ulong Present = 1;
    private const ulong PageSizeBit = 0x80;
    private const ulong Frame = 0x000F_FFFF_FFFF_F000;
    private readonly SparseMemory _host = new();
    private readonly GuestMemory _guest;
    private readonly ShadowPager _pager;

    /// <summary>Copies the tables that a guest's memory holds, and loads their root.</summary>
    internal ShadowEngine(VirtualMachine machine)
    {
        var frames = new FrameAllocator(1UL << 30, 1UL << 40);
        _guest = new GuestMemory(_host, frames, PageSize.Size4K);
        _pager = new ShadowPager(_host, _guest, frames);
        Copy(machine, GuestLayout.FixedPointerTable, GuestLayout.FixedTable + 4096);
        Copy(machine, ShadowLayout.Root, ShadowLayout.TablesEnd);
        _guest.Back(GuestLayout.UserStubs);
        for (ulong page = 0; page < ShadowLayout.Pages; page++)
        {
            _guest.Back(ShadowLayout.Data + (page << 12));
        }

        _pager.LoadRoot(ShadowLayout.Root);
    }

    /// <summary>The fetch of the guest's code, as <see cref="ShadowGuest.WarmUp"/>.</summary>
    internal void WarmUp() => _pager.HandleFault(GuestLayout.UserStubs, isStore: false, notPresent: true);

    public ShadowCounts Touch(bool store)
    {
        int before = _pager.ShadowPages;
        long faults = 0;
        for (ulong page = 0; page < ShadowLayout.Pages; page++)
        {
            ulong address = ShadowLayout.Base + (page << 12);
            while (Leaf(address) is var leaf && (leaf & Present & (store ? leaf >> 1 : 1)) == 0)
            {
                ShadowFaultOutcome outcome = _pager.HandleFault(address, store, notPresent: (leaf & Present) == 0);
                if (outcome.Kind is not (ShadowFaultKind.Shadow or ShadowFaultKind.Dirty))
                {
                    throw new InvalidOperationException($"The shadow pager takes an access to 0x{address:x} for {outcome.Kind}.");
                }

                faults++;
            }
        }

        return new ShadowCounts(faults, 0, 0, 0, _pager.ShadowPages - before);
    }

    public ShadowCounts StoreEntries(ulong entryAddress, int level, ulong value, int count, ulong strideBytes)
    {
        Dictionary<GuestTableWrite, int> costs = [];
        for (int store = 0; store < count; store++)
        {
            ulong address = entryAddress + ((ulong)store * strideBytes);
            _guest.Write(address, value);
            GuestTableWrite cost = _pager.GuestTableWritten(address, level);
            costs[cost] = costs.GetValueOrDefault(cost) + 1;
        }

        int unsync = costs.GetValueOrDefault(GuestTableWrite.Unsync);
        int emulated = costs.GetValueOrDefault(GuestTableWrite.Protected);
        int flooded = costs.GetValueOrDefault(GuestTableWrite.ProtectedAndZapped);
        return new ShadowCounts(unsync + emulated + flooded, unsync, emulated, flooded, 0);
    }

    public void Dispose()
    {
        _guest.Dispose();
        _host.Dispose();
    }

    private void Copy(VirtualMachine machine, ulong start, ulong end)
    {
        for (ulong address = start; address < end; address += 8)
        {
            _guest.EnsureFrame(address);
            _guest.Write(address, machine.Word(address));
        }
    }

    /// <summary>The leaf that hardware reaches in the shadow tables; 0 where an entry on the way is absent.</summary>
    private ulong Leaf(ulong address)
    {
        ulong entry = _pager.ShadowRoot;
        for (int shift = 39; shift >= 12; shift -= 9)
        {
            entry = _host.Read((entry & Frame) + (((address >> shift) & 511) * 8));
            if ((entry & Present) == 0 || (entry & PageSizeBit) != 0)
            {
                return (entry & Present) == 0 ? 0 : entry;
            }
        }

        return entry;
    }
}
