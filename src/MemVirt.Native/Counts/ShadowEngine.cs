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

    /// <summary>What <see cref="ShadowGuest.WarmUp"/> does: a fetch of the code, a read of the window's last page.</summary>
    internal void WarmUp()
    {
        _pager.HandleFault(GuestLayout.UserStubs, isStore: false, notPresent: true);
        _pager.HandleFault(ShadowLayout.WindowEnd, isStore: false, notPresent: true);
    }

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
        var counts = new ShadowCounts(0, 0, 0, 0, 0);
        int before = _pager.ShadowPages;
        int zapped = 0;
        for (int store = 0; store < count; store++)
        {
            ulong entry = entryAddress + ((ulong)store * strideBytes);
            (long faults, GuestTableWrite cost) = StoreEntry(entry, level, value);
            zapped += cost == GuestTableWrite.ProtectedAndZapped ? 1 : 0;
            counts = new ShadowCounts(
                counts.Faults + faults,
                counts.Unsync + (cost == GuestTableWrite.Unsync ? 1 : 0),
                counts.Emulated + (cost is GuestTableWrite.Protected or GuestTableWrite.ProtectedAndZapped ? 1 : 0),
                zapped,
                0);
        }

        return counts with { Built = _pager.ShadowPages + zapped - before };
    }

    public void ReloadRoot()
    {
        _pager.LoadRoot(ShadowLayout.Root);
        _pager.Synchronise();
    }

    public void InvalidatePage(int page) => _pager.SynchroniseAddress(ShadowLayout.Base + ((ulong)page << 12));

    public void Dispose()
    {
        _guest.Dispose();
        _host.Dispose();
    }

    /// <summary>
    /// One store through the window. A store that puts its table out of sync goes on to be mapped in the same fault; one to a table
    /// that stays protected is emulated and leaves the window's mapping as it was.
    /// </summary>
    private (long Faults, GuestTableWrite Cost) StoreEntry(ulong entry, int level, ulong value)
    {
        ulong address = ShadowLayout.InWindow(entry);
        ulong leaf = Leaf(address);
        bool faults = (leaf & (leaf >> 1) & Present) == 0;
        bool isProtected = faults && Resolve(address, leaf) == ShadowFaultKind.ProtectedTable;
        _guest.Write(entry, value);
        GuestTableWrite cost = _pager.GuestTableWritten(entry);
        if (isProtected && cost == GuestTableWrite.Unsync)
        {
            Resolve(address, leaf);
        }

        return (faults ? 1 : 0, cost);
    }

    private ShadowFaultKind Resolve(ulong address, ulong leaf)
        => _pager.HandleFault(address, isStore: true, notPresent: (leaf & Present) == 0).Kind;

    private void Copy(VirtualMachine machine, ulong start, ulong end)
    {
        for (ulong address = start; address < end; address += 8)
        {
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
