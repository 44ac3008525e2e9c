using System.Runtime.CompilerServices;
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
    private ulong _root = ShadowLayout.Root;

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
        foreach (ulong address in (ReadOnlySpan<ulong>)[GuestLayout.UserStubs, ShadowLayout.WindowEnd])
        {
            if (Leaf(address) == 0)
            {
                _pager.HandleFault(address, isStore: false, notPresent: true);
            }
        }
    }

    public ShadowCounts Touch(bool store) => Counted(() =>
    {
        for (ulong page = 0; page < ShadowLayout.Pages; page++)
        {
            ulong address = ShadowLayout.Base + (page << 12);
            while (Leaf(address) is var leaf && (leaf & Present & (store ? leaf >> 1 : 1)) == 0)
            {
                ShadowFaultKind kind = Resolve(address, store, leaf);
                if (kind is not (ShadowFaultKind.Shadow or ShadowFaultKind.Dirty))
                {
                    throw new InvalidOperationException($"The shadow pager takes an access to 0x{address:x} for {kind}.");
                }
            }
        }
    });

    public ShadowCounts StoreEntries(ulong entryAddress, ulong value, int count, ulong strideBytes) => Counted(() =>
    {
        for (int store = 0; store < count; store++)
        {
            StoreEntry(entryAddress + ((ulong)store * strideBytes), value);
        }
    });

    public ShadowCounts LoadEntry(ulong entryAddress) => Counted(() =>
    {
        ulong address = ShadowLayout.InWindow(entryAddress);
        ulong leaf = Leaf(address);
        if ((leaf & Present) == 0)
        {
            Resolve(address, isStore: false, leaf);
        }
    });

    public void ReloadRoot() => Load(_root);

    public void LoadRoot(ulong root)
    {
        _root = root;
        Load(root);
        WarmUp();
    }

    public void InvalidatePage(int page) => _pager.SynchroniseAddress(ShadowLayout.Base + ((ulong)page << 12));

    public void Dispose()
    {
        _guest.Dispose();
        _host.Dispose();
    }

    /// <summary>MOV to CR3 without PCIDs.</summary>
    private void Load(ulong root)
    {
        _pager.LoadRoot(root);
        _pager.SynchroniseContext(0);
    }

    /// <summary>One store through the window; emulated where its page holds an upper table.</summary>
    private void StoreEntry(ulong entry, ulong value)
    {
        ulong address = ShadowLayout.InWindow(entry);
        ulong leaf = Leaf(address);
        bool faults = (leaf & (leaf >> 1) & Present) == 0;
        bool isEmulated = faults && Resolve(address, isStore: true, leaf) == ShadowFaultKind.ProtectedTable;
        Unsafe.WriteUnaligned(ref _host.ToWrite(_guest.Resolve(entry)), value);
        if (isEmulated)
        {
            _pager.StoreEmulated(entry, sizeof(ulong));
        }
    }

    private ShadowFaultKind Resolve(ulong address, bool isStore, ulong leaf)
        => _pager.HandleFault(address, isStore, notPresent: (leaf & Present) == 0).Kind;

    private ShadowCounts Counted(Action run)
    {
        ShadowCounts before = Read();
        run();
        ShadowCounts after = Read();
        return new ShadowCounts(
            after.Faults - before.Faults, after.Unsync - before.Unsync, after.Emulated - before.Emulated, after.Flooded - before.Flooded,
            after.Built - before.Built);
    }

    private ShadowCounts Read()
    {
        ShadowStatistics counts = _pager.Statistics;
        return new ShadowCounts(counts.FaultsTaken, counts.Unsyncs, counts.TableWrites, counts.Flooded, counts.PagesMade);
    }

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
