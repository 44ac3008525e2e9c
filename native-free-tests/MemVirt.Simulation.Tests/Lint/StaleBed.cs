using MemVirt.Core;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tlb;
using MemVirt.Core.Walking;

namespace MemVirt.Simulation.Tests.Lint;

/// <summary>An MMU with every cache there is, over tables at guest-physical addresses below 8 MiB.</summary>
internal interface IStaleBed : IDisposable
{
    /// <summary>The host-physical address of a guest page, before it moves away or after.</summary>
    ulong HostPageOf(ulong gpa, bool isAway);

    void Write(ulong gpa, ulong word);

    ulong Read(ulong gpa);

    /// <summary>
    /// Maps the 4 KiB guest page at an address to one of two host pages in the second stage, and forgets nothing; false where the bed has no
    /// second stage of 4 KiB pages.
    /// </summary>
    bool TryMove(ulong gpa, bool isAway);

    void SwitchTo(PagingContext context, ulong root);

    void Invalidate(in TlbInvalidation invalidation);

    TranslationStatus Translate(ulong address, MemoryAccess access, out ulong hpa);
}

internal static class StaleBeds
{
    /// <summary>How far the second host page of a guest page lies from the first.</summary>
    internal const ulong Away = 3UL << 30;

    private static readonly PagingRegisters Registers = new()
    {
        Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
        Cr4 = Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable | Cr4.ProcessContextEnable,
        Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
    };

    private const ulong MemoryBytes = 8UL << 20;
    private const ulong HostOffset = 1UL << 30;
    private const ulong StageTables = 2UL << 30;

    internal static IStaleBed Native() => new Bed<IdentityStage>(new SparseMemory(), 0, _ => (default, null), CachedTable.HostPhysical);

    internal static IStaleBed Ept(PageSize pages)
        => Nested<EptFormat>(pages, CachedTable.HostPhysical, new NestedTlb(new TagArray(new SetGeometry(16, 4)), pages));

    internal static IStaleBed Npt(PageSize pages)
        => Nested<NptFormat>(pages, CachedTable.GuestPhysical, new NestedTlb(new TagArray(new SetGeometry(16, 4)), PageSize.Size4K));

    internal static IStaleBed Shadow(PageSize pages) => new ShadowBed(pages);

    private static PagingStructureCaches WalkCaches(CachedTable holds)
        => new(holds, new TagArray(new SetGeometry(4, 4)), new TagArray(new SetGeometry(4, 4)), new TagArray(new SetGeometry(16, 4)));

    private static Bed<NestedStage<TFormat, HostTableReader>> Nested<TFormat>(PageSize pages, CachedTable holds, NestedTlb nestedTlb)
        where TFormat : struct, IPageTableFormat
        => new(
            new SparseMemory(), HostOffset,
            memory =>
            {
                ulong root = BuildStage<TFormat>(memory, pages);
                var caches = new PagingStructureCaches(CachedTable.HostPhysical, null, null, new TagArray(new SetGeometry(8, 2)));
                var stage = new NestedStage<TFormat, HostTableReader>(new HostTableReader(memory), root, 1, nestedTlb, caches);
                return (stage, pages == PageSize.Size4K ? (gpa, isAway) => Move<TFormat>(memory, gpa, isAway) : null);
            },
            holds);

    private static void Move<TFormat>(SparseMemory memory, ulong gpa, bool isAway)
        where TFormat : struct, IPageTableFormat
    {
        ulong table = StageTables;
        for (int level = TFormat.Levels - 1; level > 0; level--)
        {
            table = TFormat.TableAddress(memory.Read(table + TFormat.EntryOffset(gpa, level)));
        }

        ulong page = gpa + HostOffset + (isAway ? Away : 0);
        memory.Write(table + TFormat.EntryOffset(gpa, 0), TFormat.LeafEntry(page, 0, AccessRights.All, dirty: false));
    }

    private static ulong BuildStage<TFormat>(SparseMemory memory, PageSize pages)
        where TFormat : struct, IPageTableFormat
    {
        ulong next = StageTables + 0x1000;
        for (ulong gpa = 0; gpa < MemoryBytes; gpa += pages.SizeBytes())
        {
            ulong table = StageTables;
            for (int level = TFormat.Levels - 1; level > pages.LeafLevel(); level--)
            {
                ulong place = table + TFormat.EntryOffset(gpa, level);
                if (memory.Read(place) == 0)
                {
                    memory.Write(place, TFormat.TableEntry(next));
                    next += 0x1000;
                }

                table = TFormat.TableAddress(memory.Read(place));
            }

            ulong leaf = table + TFormat.EntryOffset(gpa, pages.LeafLevel());
            memory.Write(leaf, TFormat.LeafEntry(gpa + HostOffset, pages.LeafLevel(), AccessRights.All, dirty: false));
        }

        return StageTables;
    }

    private sealed class Bed<TStage> : IStaleBed
        where TStage : struct, ISecondStage
    {
        private readonly SparseMemory _memory;
        private readonly ulong _offset;
        private readonly Action<ulong, bool>? _move;
        private readonly Mmu<PagingSource<TStage, HostTableReader>> _mmu;

        internal Bed(SparseMemory memory, ulong offset, Func<SparseMemory, (TStage Stage, Action<ulong, bool>? Move)> make, CachedTable holds)
        {
            _memory = memory;
            _offset = offset;
            (TStage stage, _move) = make(memory);
            var source = new PagingSource<TStage, HostTableReader>(
                stage, new HostTableReader(memory), new GuestRules(ProcessorFeatures.Everything, Registers), WalkCaches(holds));
            _mmu = new Mmu<PagingSource<TStage, HostTableReader>>(source, 64, 4);
        }

        public ulong HostPageOf(ulong gpa, bool isAway) => gpa + _offset + (isAway ? Away : 0);

        public void Write(ulong gpa, ulong word)
        {
            _memory.Write(gpa + _offset, word);
        }

        public ulong Read(ulong gpa) => _memory.Read(gpa + _offset);

        public bool TryMove(ulong gpa, bool isAway)
        {
            _move?.Invoke(gpa, isAway);
            return _move is not null;
        }

        public void SwitchTo(PagingContext context, ulong root)
        {
            _mmu.Source.Cr3 = root;
            _mmu.SwitchContext(context);
        }

        public void Invalidate(in TlbInvalidation invalidation) => _mmu.Invalidate(in invalidation);

        public TranslationStatus Translate(ulong address, MemoryAccess access, out ulong hpa)
        {
            TranslationStatus status = _mmu.Translate(GuestVirtualAddress.Create(address), access, out HostPhysicalAddress found);
            hpa = found.Value;
            return status;
        }

        public void Dispose() => _memory.Dispose();
    }

    /// <summary>
    /// A VMM with shadow tables, which flushes what its pager asks for and nothing else, and a guest that writes its tables through its
    /// own mapping of them: the pager hears of a store only where the MMU says that it faults.
    /// </summary>
    private sealed class ShadowBed : IStaleBed
    {
        // Its slot of a root is none that an address of the test uses at another level.
        private const ulong Window = 9UL << 39;
        private const ulong WindowTables = 0x60_0000;
        private const ulong LargePage = 0xE7;
        private readonly SparseMemory _host = new();
        private readonly GuestMemory _guest;
        private readonly ShadowPager _pager;
        private readonly Mmu<ShadowSource<HostTableReader>> _mmu;

        internal ShadowBed(PageSize pages)
        {
            var frames = new FrameAllocator(1UL << 20, 1UL << 40);
            _guest = new GuestMemory(_host, frames, pages);
            _pager = new ShadowPager(_host, _guest, frames, rules: new GuestRules(ProcessorFeatures.Everything, Registers));
            var source = new ShadowSource<HostTableReader>(_pager, new HostTableReader(_host), WalkCaches(CachedTable.HostPhysical));
            _mmu = new Mmu<ShadowSource<HostTableReader>>(source, 64, 4);
            _guest.Write(WindowTables, X64FourLevel.TableEntry(WindowTables + 0x1000));
            for (ulong page = 0; page < MemoryBytes; page += PageSize.Size2M.SizeBytes())
            {
                _guest.Write(WindowTables + 0x1000 + TableGeometry.EntryOffset(page, 1), page | LargePage);
            }
        }

        public ulong HostPageOf(ulong gpa, bool isAway) => _guest.TryResolve(gpa, out ulong hpa) ? hpa : 0;

        public void Write(ulong gpa, ulong word)
        {
            TranslationStatus status = TranslationStatus.SecondStageProtection;
            if (_pager.ShadowRoot != 0)
            {
                status = _mmu.Translate(GuestVirtualAddress.Create(Window + gpa), MemoryAccess.Write, out HostPhysicalAddress hpa);
                Assert.True(
                    status == TranslationStatus.SecondStageProtection || hpa.Value == _guest.Resolve(gpa), $"The window is lost: {status}.");
            }

            _guest.Write(gpa, word);
            if (status == TranslationStatus.SecondStageProtection)
            {
                FlushIf(_pager.StoreEmulated(gpa, sizeof(ulong)));
            }
        }

        public ulong Read(ulong gpa) => _guest.Read(gpa);

        public bool TryMove(ulong gpa, bool isAway)
        {
            ulong bytes = _guest.BackingSize.SizeBytes();
            FlushIf(_pager.Unmap(gpa & ~(bytes - 1), bytes));
            _guest.Release(gpa);
            return true;
        }

        /// <summary>The pager knows PCIDs alone: two virtual processors are two of them.</summary>
        public void SwitchTo(PagingContext context, ulong root)
        {
            if (_guest.Read(root + TableGeometry.EntryOffset(Window, 3)) == 0)
            {
                Write(root + TableGeometry.EntryOffset(Window, 3), X64FourLevel.TableEntry(WindowTables));
            }

            bool flush = _pager.LoadRoot(root | Number(context.VirtualProcessor, context.ProcessContext));
            _mmu.SwitchContext(context);
            FlushIf(flush);
        }

        public void Invalidate(in TlbInvalidation invalidation)
        {
            _mmu.Invalidate(in invalidation);
            if (invalidation.Scope == InvalidationScope.Context)
            {
                FlushIf(_pager.SynchroniseContext(Number(invalidation.VirtualProcessor, invalidation.ProcessContext)));
            }
        }

        public TranslationStatus Translate(ulong address, MemoryAccess access, out ulong hpa)
        {
            TranslationStatus status = _mmu.Translate(GuestVirtualAddress.Create(address), access, out HostPhysicalAddress found);
            bool isEmulated = access == MemoryAccess.Write && status == TranslationStatus.SecondStageProtection;
            hpa = isEmulated ? _guest.Resolve(_pager.LastFaultAddress) : found.Value;
            return isEmulated ? TranslationStatus.Ok : status;
        }

        public void Dispose()
        {
            _guest.Dispose();
            _host.Dispose();
        }

        private static ushort Number(ushort virtualProcessor, ushort processContext) => (ushort)(processContext | (virtualProcessor << 11));

        private void FlushIf(bool flush)
        {
            if (flush)
            {
                _mmu.FlushTlb();
            }
        }
    }
}
