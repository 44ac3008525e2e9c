using System.Diagnostics;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tests.Tlb;
using MemVirt.Core.Tests.Walking;
using MemVirt.Core.Tlb;
using MemVirt.Core.Walking;
using Xunit.Abstractions;

namespace MemVirt.Core.Tests.Processors;

/// <summary>
/// Four processors walk and write through tables that a fifth thread edits and shoots down. A page that was taken away is poisoned
/// once every processor has acknowledged: a later write to it is a stale one. Each write is an increment of the processor's own word
/// in the page, so that what the pages hold in the end tells whether one was lost. MEMVIRT_SOAK_SECONDS sets the length (2).
/// </summary>
public sealed class ShootdownSoakTests(ITestOutputHelper output)
{
    private const int Processors = 4;
    private const int Pages = 48;
    private const ulong Small = 0x7F12_4000_0000;
    private const ulong Large = Small + (1UL << 30);
    private const ulong LargeBytes = 1UL << 21;
    private const ulong FirstFrame = 0x4000_0000;
    private const ulong LargeFrame = 0x8000_0000;
    private const ulong Poison = 0xDEAD_BEEF_0000_0000;
    private static readonly PagingContext _context = new(0, 0, User: true);

    private static double Seconds
        => double.TryParse(Environment.GetEnvironmentVariable("MEMVIRT_SOAK_SECONDS"), out double seconds) ? seconds : 2;

    [Fact]
    public void No_stale_write_lands_and_none_is_lost()
    {
        using var soak = new Soak(seed: (ulong)Environment.TickCount64);
        soak.Run(TimeSpan.FromSeconds(Seconds));
        output.WriteLine(soak.ToString());
        Assert.Null(soak.Failure);
        Assert.True(soak.Written > 10_000 && soak.Edits > 100, $"Too little happened to tell: {soak}");
        Assert.True(soak.Written == soak.Found, $"writes lost or duplicated: {soak}");
    }

    /// <summary>The check itself: where processors acknowledge without forgetting, a stale write is seen.</summary>
    [Fact]
    public void A_processor_that_does_not_forget_is_caught()
    {
        using var soak = new Soak(seed: 1, forgets: false);
        soak.Run(TimeSpan.FromSeconds(20));
        Assert.NotNull(soak.Failure);
    }

    private sealed class Soak : IDisposable
    {
        private readonly ulong _seed;
        private readonly bool _forgets;
        private readonly SparseMemory _memory = new();
        private readonly InvalidationBus _bus = new(Processors, mailboxCapacity: 8);
        private readonly long[] _written = new long[Processors];
        private readonly ulong _root;
        private readonly TablePool _tables;
        private PooledTableSpace _space;
        private volatile bool _stop;

        internal Soak(ulong seed, bool forgets = true)
        {
            (_seed, _forgets) = (seed, forgets);
            _tables = new TablePool(_memory, new FrameAllocator(0x1000, FirstFrame));
            _space = _tables.Space;
            _root = _space.AllocateTable();
            for (ulong page = 0; page < Pages * 2; page++)
            {
                Fill(FirstFrame + (page << 12), Poison);
            }

            for (ulong offset = 0; offset < LargeBytes; offset += 4096)
            {
                Fill(LargeFrame + offset, 0);
            }
        }

        internal long Written => _written.Sum();

        internal long Found { get; private set; }

        internal int Edits { get; private set; }

        internal string? Failure { get; private set; }

        public void Dispose() => _memory.Dispose();

        public override string ToString() => $"seed {_seed}: {Written} writes, {Found} found, {Edits} edits";

        internal void Run(TimeSpan duration)
        {
            PageTableEditor<X64FourLevel, PooledTableSpace>.Map(
                ref _space, _root, Large, HostPhysicalAddress.Create(LargeFrame), PageSize.Size2M, AccessRights.All)
                .LeaveStale("No processor runs yet.");
            Thread[] processors = [.. Enumerable.Range(0, Processors).Select(number => new Thread(() => Process(number)))];
            foreach (Thread processor in processors)
            {
                processor.Start();
            }

            Edit(duration);
            _stop = true;
            foreach (Thread processor in processors)
            {
                processor.Join();
            }

            for (ulong page = 0; page < (Pages * 2) + 512; page++)
            {
                ulong frame = page < Pages * 2 ? FirstFrame + (page << 12) : LargeFrame + ((page - (Pages * 2)) << 12);
                Found += CountOf(frame);
            }
        }

        private void Process(int number)
        {
            var random = new SplitMix(_seed + (ulong)number);
            var caches = new PagingStructureCaches(CachedTable.HostPhysical, null, null, new TagArray(new SetGeometry(16, 4)));
            var source = new TwoStageSource<X64FourLevel, IdentityStage, HostTableReader>(
                default, new HostTableReader(_memory), caches: caches) { Root = _root };
            var mmu = new Mmu<TwoStageSource<X64FourLevel, IdentityStage, HostTableReader>>(source, 64, 4);
            mmu.SwitchContext(_context);
            InvalidationMailbox mailbox = _bus[number];
            mailbox.Resume(mmu);
            for (int access = 0; !_stop; access++)
            {
                Poll(mailbox, mmu);
                if (random.Below(5_000) == 0)
                {
                    mailbox.Park();
                    Thread.Yield();
                    mailbox.Resume(mmu);
                }

                ulong address = random.Chance(70)
                    ? Small + ((ulong)random.Below(Pages) << 12)
                    : Large + ((ulong)random.Below(512) << 12);
                if (mmu.Translate(GuestVirtualAddress.Create(address), MemoryAccess.Write, out HostPhysicalAddress hpa) == TranslationStatus.Ok)
                {
                    Increment(hpa.Value + ((ulong)number * 8));
                    _written[number]++;
                }
            }

            mailbox.Park();
        }

        private void Poll(InvalidationMailbox mailbox, Mmu<TwoStageSource<X64FourLevel, IdentityStage, HostTableReader>> mmu)
        {
            if (!mailbox.HasPending)
            {
                return;
            }

            if (_forgets)
            {
                mailbox.Service(mmu);
                return;
            }

            while (mailbox.TryTake(out _))
            {
                // Forgets nothing: the test of the test.
            }

            mailbox.Acknowledge();
        }

        private void Edit(TimeSpan duration)
        {
            var random = new SplitMix(~_seed);
            var free = new Stack<ulong>(Enumerable.Range(0, Pages * 2).Select(page => FirstFrame + ((ulong)page << 12)));
            var mapped = new ulong[Pages];
            long start = Stopwatch.GetTimestamp();
            for (bool isLarge = true; Failure is null && Stopwatch.GetElapsedTime(start) < duration; Edits++)
            {
                if (random.Chance(10))
                {
                    _tables.Return(isLarge
                        ? PageTableEditor<X64FourLevel, PooledTableSpace>.Split(ref _space, _root, Large).Complete(_bus, _context)
                        : PageTableEditor<X64FourLevel, PooledTableSpace>.Merge(ref _space, _root, Large, PageSize.Size2M)
                            .Complete(_bus, _context));
                    isLarge = !isLarge;
                    continue;
                }

                int page = random.Below(Pages);
                if (mapped[page] == 0)
                {
                    mapped[page] = free.Pop();
                    MapFresh(Small + ((ulong)page << 12), mapped[page]);
                }
                else
                {
                    TakeAway(Small + ((ulong)page << 12), mapped[page], random.Chance(50));
                    free.Push(mapped[page]);
                    mapped[page] = 0;
                }
            }
        }

        private void MapFresh(ulong address, ulong frame)
        {
            for (ulong word = 0; word < Processors; word++)
            {
                if (_memory.Read(frame + (word * 8)) != Poison)
                {
                    Failure ??= $"seed {_seed}, edit {Edits}: frame 0x{frame:x} was written after every processor had forgotten it";
                }
            }

            Fill(frame, 0);
            _tables.Return(PageTableEditor<X64FourLevel, PooledTableSpace>.Map(
                ref _space, _root, address, HostPhysicalAddress.Create(frame), PageSize.Size4K, AccessRights.All).Complete(_bus, _context));
        }

        /// <summary>Writes stop at the first acknowledgement; the dirty bit then says whether there were any.</summary>
        private void TakeAway(ulong address, ulong frame, bool protectFirst)
        {
            var range = new AddressRange(address, 4096);
            if (protectFirst)
            {
                _tables.Return(PageTableEditor<X64FourLevel, PooledTableSpace>.Protect(
                    ref _space, _root, range, AccessRights.Read | AccessRights.User).Complete(_bus, _context));
                ulong entry = _memory.Read(PageTableEditor<X64FourLevel, PooledTableSpace>.EnsureEntry(ref _space, _root, address, 0, out _));
                if (CountOf(frame) != 0 && (entry & X64FourLevel.DirtyBit) == 0)
                {
                    Failure ??= $"seed {_seed}, edit {Edits}: 0x{address:x} was written and is not dirty";
                }
            }

            _tables.Return(PageTableEditor<X64FourLevel, PooledTableSpace>.Unmap(ref _space, _root, range).Complete(_bus, _context));
            Found += CountOf(frame);
            Fill(frame, Poison);
        }

        /// <summary>What the processors have added up in a page; nothing in one that is poisoned and not written since.</summary>
        private long CountOf(ulong frame)
        {
            long count = 0;
            for (ulong word = 0; word < Processors; word++)
            {
                ulong value = _memory.Read(frame + (word * 8));
                count += value >= Poison ? (long)(value - Poison) : (long)value;
            }

            return count;
        }

        private void Fill(ulong frame, ulong value)
        {
            for (ulong word = 0; word < Processors; word++)
            {
                _memory.Write(frame + (word * 8), value);
            }
        }

        private void Increment(ulong address)
        {
            ulong value;
            do
            {
                value = _memory.Read(address);
            }
            while (!_memory.TryReplace(address, value, value + 1));
        }
    }
}
