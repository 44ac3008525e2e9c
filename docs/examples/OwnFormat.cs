using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Examples;

/// <summary>Page tables of RISC-V's Sv39, which the library does not know, under its walk, its TLB and its editor.</summary>
public static class OwnFormat
{
    public static void Run(TextWriter output)
    {
        using var memory = new SparseMemory();
        PooledTableSpace tables = new TablePool(memory, new FrameAllocator(0x8000_0000, 1UL << 40)).Space;
        ulong root = tables.AllocateTable();
        PageTableEditor<Sv39, PooledTableSpace>.Map(
            ref tables, root, 0x10_0000_0000, HostPhysicalAddress.Create(0x9000_0000), PageSize.Size2M, AccessRights.Read | AccessRights.Execute)
            .LeaveStale("no processor runs yet");
        var source = new TwoStageSource<Sv39, IdentityStage, HostTableReader>(default, new HostTableReader(memory)) { Root = root };
        var mmu = new Mmu<TwoStageSource<Sv39, IdentityStage, HostTableReader>>(source);
        foreach (MemoryAccess access in new[] { MemoryAccess.Read, MemoryAccess.Fetch, MemoryAccess.Write })
        {
            TranslationStatus status = mmu.Translate(GuestVirtualAddress.Create(0x10_0012_3456), access, out HostPhysicalAddress hpa);
            output.WriteLine($"{access}: {(status == TranslationStatus.Ok ? $"0x{hpa.Value:x}" : status)}, {mmu.Walks} walks so far");
        }
    }

    /// <summary>
    /// Three levels of 512 entries. An entry that grants nothing refers to a table; one that may be read or executed is a leaf (RISC-V
    /// Privileged Architecture, "Sv39"). Accessed and dirty flags are left to software, as where Svadu is absent.
    /// </summary>
    private readonly struct Sv39 : IPageTableFormat
    {
        private const ulong Valid = 1 << 0;
        private const ulong Read = 1 << 1;
        private const ulong Write = 1 << 2;
        private const ulong Execute = 1 << 3;
        private const ulong User = 1 << 4;
        private const int FrameShift = 10;
        private const ulong FrameBits = ((1UL << 44) - 1) << FrameShift;

        public static int Levels => 3;

        public static ulong AccessedBit => 0;

        public static ulong DirtyBit => 0;

        public static EntryRules DefaultRules { get; } = EntryRules.Create(Valid, 0, 0, Reserved);

        public static bool IsPresent(ulong entry) => (entry & Valid) != 0;

        public static bool IsLeaf(ulong entry, int level) => (entry & (Read | Execute)) != 0;

        public static AccessRights Rights(ulong entry) => AccessRights.All;

        public static AccessRights LeafRights(ulong entry)
            => ((entry & Read) != 0 ? AccessRights.Read : 0)
               | ((entry & Write) != 0 ? AccessRights.Write : 0)
               | ((entry & Execute) != 0 ? AccessRights.Execute : 0)
               | ((entry & User) != 0 ? AccessRights.User : 0);

        public static AccessRights RightsOf(ulong granted, ulong leaf) => LeafRights(leaf);

        public static ulong TableAddress(ulong entry) => (entry & FrameBits) >> FrameShift << 12;

        public static ulong PageAddress(ulong entry, int level) => TableAddress(entry);

        public static ulong TableEntry(ulong tableAddress) => (tableAddress >> 12 << FrameShift) | Valid;

        public static ulong LeafEntry(ulong pageAddress, int level, AccessRights rights, bool dirty)
            => TableEntry(pageAddress)
               | ((rights & AccessRights.Read) != 0 ? Read : 0)
               | ((rights & AccessRights.Write) != 0 ? Write : 0)
               | ((rights & AccessRights.Execute) != 0 ? Execute : 0)
               | ((rights & AccessRights.User) != 0 ? User : 0);

        /// <summary>Bits 63:54; in a leaf above the last level, the frame bits below its size too.</summary>
        private static ulong Reserved(int level, bool isLeaf)
            => (0x3FFUL << 54) | (isLeaf ? ((1UL << (9 * level)) - 1) << FrameShift : 0);
    }
}
