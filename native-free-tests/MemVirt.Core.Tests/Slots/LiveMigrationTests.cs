using System.Numerics;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Slots;

namespace MemVirt.Core.Tests.Slots;

/// <summary>
/// Processors store through their TLBs while another thread copies what is dirty, round by round, and moves, adds and removes
/// slots. When
/// they stop, one more round must make the copy equal to the memory.
/// </summary>
public abstract class LiveMigrationTests<TFormat>
    where TFormat : struct, IPageTableFormat
{
    private const int WordsOfPage = 512;
    private const int Rounds = 40;

    [Theory]
    [InlineData(DirtyLogging.WriteProtection)]
    [InlineData(DirtyLogging.DirtyBits)]
    public void The_copy_equals_the_memory_once_the_processors_stop(DirtyLogging logging)
    {
        for (ulong seed = 1; seed <= 2; seed++)
        {
            using var bed = new MigrationBed<TFormat>();
            var processors = new GuestProcessor<TFormat>[MigrationBed<TFormat>.Processors];
            for (int number = 0; number < processors.Length; number++)
            {
                processors[number] = new GuestProcessor<TFormat>(bed, number, seed * 100);
            }

            var migration = new Migration(bed, processors, logging);
            try
            {
                migration.WaitForStores(1000);
                migration.Run();
            }
            finally
            {
                Array.ForEach(processors, processor => processor.Stop());
            }

            Assert.All(processors, processor => Assert.Null(processor.Failure));
            migration.LastRound();
            migration.Compare($"seed {seed}");
        }
    }

    private sealed class Migration(MigrationBed<TFormat> bed, GuestProcessor<TFormat>[] processors, DirtyLogging logging)
    {
        private readonly Dictionary<int, ulong[]> _copies = [];
        private readonly ulong[] _bitmap = new ulong[16];
        private long _dirtyPages;
        private MemorySlot? _removed;

        internal void WaitForStores(long more)
        {
            long start = processors.Sum(processor => processor.Stores);
            bool reached = SpinWait.SpinUntil(
                () => processors.Sum(processor => processor.Stores) - start >= more || processors.Any(one => one.Failure is not null),
                TimeSpan.FromSeconds(60));
            Assert.True(reached, "The processors make no progress.");
        }

        internal void Run()
        {
            for (int id = 0; id < 3; id++)
            {
                Start(id);
            }

            for (int round = 0; round < Rounds; round++)
            {
                foreach (int id in _copies.Keys.ToArray())
                {
                    if (bed.Pager.Slots.Current.TryGet(id, out _))
                    {
                        Round(id);
                    }
                }

                Change(round);
                WaitForStores(200);
            }
        }

        internal void LastRound()
        {
            foreach (int id in _copies.Keys)
            {
                if (bed.Pager.Slots.Current.TryGet(id, out _))
                {
                    Round(id);
                }
            }
        }

        internal void Compare(string what)
        {
            Assert.True(_dirtyPages > Rounds, $"{what}: only {_dirtyPages} dirty pages were seen");
            foreach ((int id, ulong[] copy) in _copies)
            {
                MemorySlot slot = bed.Pager.Slots.Current.TryGet(id, out MemorySlot? found) ? found : _removed!;
                for (int word = 0; word < copy.Length; word++)
                {
                    ulong source = bed.Memory.Read(slot.Backing.Value + ((ulong)word * 8));
                    Assert.True(
                        source == copy[word],
                        $"{what}: word {word % WordsOfPage} of page {word / WordsOfPage} of slot {id} is stale");
                }
            }

            for (int number = 0; number < processors.Length; number++)
            {
                foreach (((int id, long page), ulong value) in processors[number].Stored)
                {
                    ulong word = ((ulong)page * WordsOfPage) + (GuestProcessor<TFormat>.WordOf(number) / 8);
                    Assert.True(
                        _copies[id][word] == value,
                        $"{what}: processor {number}'s store to page {page} of slot {id} is lost");
                }
            }
        }

        private void Start(int id)
        {
            bed.Finish(bed.Pager.Arm(id, logging));
            MemorySlot slot = bed.Pager.Slots.Get(id);
            _copies[id] = new ulong[slot.Pages * WordsOfPage];
            for (long page = 0; page < slot.Pages; page++)
            {
                Copy(slot, page);
            }
        }

        private void Round(int id)
        {
            bed.Finish(bed.Pager.Harvest(id, _bitmap, out long count));
            CopyMarked(bed.Pager.Slots.Get(id), count);
        }

        private void CopyMarked(MemorySlot slot, long count)
        {
            long copied = 0;
            for (int word = 0; word < slot.Log!.WordCount; word++)
            {
                for (ulong left = _bitmap[word]; left != 0; left &= left - 1)
                {
                    Copy(slot, (word * 64) + BitOperations.TrailingZeroCount(left));
                    copied++;
                }
            }

            Assert.Equal(count, copied);
            _dirtyPages += copied;
        }

        private void Copy(MemorySlot slot, long page)
        {
            ulong source = slot.Backing.Value + ((ulong)page << 12);
            for (int word = 0; word < WordsOfPage; word++)
            {
                _copies[slot.Id][(page * WordsOfPage) + word] = bed.Memory.Read(source + ((ulong)word * 8));
            }
        }

        private void Change(int round)
        {
            switch (round % 8)
            {
                case 0:
                    // Not logged for a while, and merged under the processors' walks: copied from the start again.
                    bed.Pager.Disarm(1);
                    bed.Finish(bed.Pager.Recover(1));
                    Start(1);
                    break;
                case 1 or 4 or 6:
                    bool here = bed.Pager.Slots.Get(MigrationBed<TFormat>.Moving).Start.Value == MigrationBed<TFormat>.MovingHere;
                    bed.Finish(bed.Pager.Move(
                        MigrationBed<TFormat>.Moving,
                        GuestPhysicalAddress.Create(here ? MigrationBed<TFormat>.MovingThere : MigrationBed<TFormat>.MovingHere)));
                    break;
                case 2:
                    bed.Pager.Add(MigrationBed<TFormat>.Slot(MigrationBed<TFormat>.Passing, MigrationBed<TFormat>.PassingStart, 32));
                    Start(MigrationBed<TFormat>.Passing);
                    break;
                case 3:
                    bed.Finish(bed.Pager.SetReadOnly(1, true));
                    break;
                case 5:
                    bed.Finish(bed.Pager.SetReadOnly(1, false));
                    break;
                case 7:
                    // What is gone was marked when it went.
                    _removed = bed.Pager.Slots.Get(MigrationBed<TFormat>.Passing);
                    bed.Finish(bed.Pager.Remove(MigrationBed<TFormat>.Passing));
                    CopyMarked(_removed, _removed.Log!.Harvest(_bitmap));
                    break;
            }
        }
    }
}

public sealed class EptLiveMigrationTests : LiveMigrationTests<EptFormat>;

public sealed class NptLiveMigrationTests : LiveMigrationTests<NptFormat>;
