using System.Globalization;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;
using MemVirt.Core.Shadow;

namespace MemVirt.Benchmarks;

/// <summary>What shadow paging takes of memory for a guest of 1 TiB that touches 64 Ki pages of it, in runs of several lengths.</summary>
internal static class SparseGuestMemory
{
    private const int TouchedPages = 1 << 16;
    private const ulong GuestBytes = 1UL << 40;
    private const ulong Start = 0x4000_0000_0000;

    internal static void Print(TextWriter output)
    {
        output.WriteLine($"a guest of 1 TiB touches {TouchedPages:N0} pages of 4 KiB; bytes a page");
        output.WriteLine("  run of pages   guest tables   shadow tables   their index   reverse map   backing map");
        foreach (int run in new[] { 1, 16, 512 })
        {
            using var host = new SparseMemory();
            var hostFrames = new FrameAllocator(1UL << 20, 1UL << 42);
            using var guest = new GuestMemory(host, hostFrames, PageSize.Size4K);
            var pager = new ShadowPager(host, guest, hostFrames, new ShadowPoolOptions { MaxPages = 1 << 20 });
            var space = new Space(guest, new FrameAllocator(1UL << 20, GuestBytes / 2));
            ulong root = space.AllocateTable();
            Touch(space, guest, pager, root, run);
            ShadowMemoryUse use = pager.MemoryUse;
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{run,14}{A(space.Tables * 4096L),15}{A(use.Tables),16}{A(use.TableIndex),14}{A(use.ReverseMap),14}{A(guest.BackingMapBytes),14}"));
        }

        static string A(long bytes) => ((double)bytes / TouchedPages).ToString("F1", CultureInfo.InvariantCulture);
    }

    /// <summary>Runs spread evenly over the upper half of the guest, one linear address a physical one.</summary>
    private static void Touch(Space space, GuestMemory guest, ShadowPager pager, ulong root, int run)
    {
        ulong runs = (ulong)(TouchedPages / run);
        ulong distance = GuestBytes / 2 / runs;
        for (ulong at = 0; at < runs; at++)
        {
            for (ulong page = 0; page < (ulong)run; page++)
            {
                ulong physical = (GuestBytes / 2) + (at * distance) + (page << 12);
                ulong entry = PageTableEditor<X64FourLevel, Space>.EnsureEntry(ref space, root, Start + physical, 0, out _);
                guest.Write(entry, X64FourLevel.LeafEntry(physical, 0, AccessRights.All, dirty: true));
                guest.Back(physical);
            }
        }

        pager.LoadRoot(root);
        for (ulong at = 0; at < runs; at++)
        {
            for (ulong page = 0; page < (ulong)run; page++)
            {
                ulong linear = Start + (GuestBytes / 2) + (at * distance) + (page << 12);
                ShadowFaultKind kind = pager.HandleFault(linear, isStore: true, notPresent: true).Kind;
                if (kind != ShadowFaultKind.Shadow)
                {
                    throw new InvalidOperationException($"{linear:x}: {kind}.");
                }
            }
        }
    }

    private sealed class Count
    {
        internal int Value;
    }

    private readonly struct Space(GuestMemory memory, FrameAllocator frames) : ITableSpace
    {
        private readonly Count _tables = new();

        internal int Tables => _tables.Value;

        public ulong Read(ulong entryAddress) => memory.Read(entryAddress);

        public void Write(ulong entryAddress, ulong entry, int level) => memory.Write(entryAddress, entry);

        public bool TryReplace(ulong entryAddress, ulong expected, ulong replacement, int level)
            => memory.TryReplace(entryAddress, expected, replacement);

        public ulong AllocateTable()
        {
            _tables.Value++;
            return frames.Allocate(PageSize.Size4K);
        }
    }
}
