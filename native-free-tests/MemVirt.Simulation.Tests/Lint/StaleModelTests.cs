using System.Text;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Simulation.Lint;
using Xunit.Abstractions;

namespace MemVirt.Simulation.Tests.Lint;

/// <summary>
/// Edits of tables at every level, by software that often forgets the invalidation, mixed with invalidations, switches and accesses:
/// the MMU never answers what the manual does not allow. A failure shrinks to the events that still show it.
/// </summary>
public sealed class StaleModelTests(ITestOutputHelper output)
{
    private const int Events = 2_500;
    private const ulong Base = 0x7F12_4000_0000;
    private const ulong Tables = 0x10_0000;
    private const ulong Pages = 0x18_0000;
    private const ulong LargePages = 0x20_0000;

    /// <summary>MEMVIRT_SOAK_SEEDS asks for more.</summary>
    private static ulong Seeds => ulong.TryParse(Environment.GetEnvironmentVariable("MEMVIRT_SOAK_SEEDS"), out ulong seeds) ? seeds : 150;

    /// <summary>What happens; the numbers say where and what, and mean something whatever came before.</summary>
    private enum EventKind
    {
        Access,
        Write,
        Switch,
        ChangeRoot,
        Invalidate,

        /// <summary>The second stage maps a page elsewhere; only INVEPT makes processors forget where it was.</summary>
        Move,
    }

    public static TheoryData<string> Beds => ["native", "ept 4k", "ept 2m", "npt 4k", "npt 2m", "shadow 4k", "shadow 2m"];

    [Theory]
    [MemberData(nameof(Beds))]
    public void No_answer_is_staler_than_the_manual_allows(string bed)
    {
        var tally = new Tally();
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            List<Event> events = Generate(seed);
            if (Play(bed, events, forgets: true, tally) is not null)
            {
                Assert.Fail($"{bed}, seed {seed}:\n{Shrink(bed, events, forgets: true)}");
            }
        }

        output.WriteLine($"{bed}: {tally}");
        Assert.True(tally.Stale > tally.Accesses / 1000, $"Hardly any answer was stale, which proves nothing: {tally}");
        Assert.True(tally.Ambiguous > tally.Accesses / 100, $"{tally}");
        Assert.True(tally.Completed > tally.Accesses / 5, $"{tally}");
    }

    /// <summary>The test can fail: an MMU that swallows invalidations is caught, and the events shrink to a handful.</summary>
    [Theory]
    [MemberData(nameof(Beds))]
    public void An_mmu_that_forgets_nothing_is_caught(string bed)
    {
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            List<Event> events = Generate(seed);
            if (Play(bed, events, forgets: false, new Tally()) is not null)
            {
                string smallest = Shrink(bed, events, forgets: false);
                output.WriteLine($"{bed}, seed {seed}: {smallest}");
                Assert.InRange(smallest.Split('\n').Length, 2, 40);
                return;
            }
        }

        Assert.Fail("Nothing was caught.");
    }

    private static IStaleBed Make(string bed) => bed switch
    {
        "native" => StaleBeds.Native(),
        "ept 4k" => StaleBeds.Ept(PageSize.Size4K),
        "ept 2m" => StaleBeds.Ept(PageSize.Size2M),
        "npt 4k" => StaleBeds.Npt(PageSize.Size4K),
        "npt 2m" => StaleBeds.Npt(PageSize.Size2M),
        "shadow 4k" => StaleBeds.Shadow(PageSize.Size4K),
        _ => StaleBeds.Shadow(PageSize.Size2M),
    };

    private static List<Event> Generate(ulong seed)
    {
        var random = new Random((int)seed);
        var events = new List<Event>();
        for (int i = 0; i < Events; i++)
        {
            int dice = random.Next(100);
            EventKind kind = dice < 62 ? EventKind.Access : dice < 78 ? EventKind.Write : dice < 88 ? EventKind.Switch
                : dice < 89 ? EventKind.ChangeRoot : dice < 92 ? EventKind.Move : EventKind.Invalidate;
            events.Add(new Event(kind, random.Next(), random.Next(), random.Next()));
        }

        return events;
    }

    private static string Shrink(string bed, List<Event> events, bool forgets)
    {
        string last = Play(bed, events, forgets, new Tally())!;
        for (int chunk = events.Count / 2; chunk > 0; chunk /= 2)
        {
            for (int start = 0; start + chunk <= events.Count;)
            {
                List<Event> fewer = [.. events[..start], .. events[(start + chunk)..]];
                if (Play(bed, fewer, forgets, new Tally()) is { } difference)
                {
                    (events, last) = (fewer, difference);
                }
                else
                {
                    start += chunk;
                }
            }
        }

        var text = new StringBuilder(last).AppendLine();
        foreach (Event each in events)
        {
            text.AppendLine(each.ToString());
        }

        return text.ToString();
    }

    private static string? Play(string bed, List<Event> events, bool forgets, Tally tally)
    {
        using IStaleBed made = Make(bed);
        var player = new Player(made, forgets, tally);
        for (int i = 0; i < events.Count; i++)
        {
            if (player.Play(events[i]) is { } difference)
            {
                return $"event {i}: {difference}";
            }
        }

        return null;
    }

    private readonly record struct Event(EventKind Kind, int A, int B, int C);

    private sealed class Tally
    {
        internal long Accesses { get; set; }

        internal long Completed { get; set; }

        internal long Stale { get; set; }

        internal long Ambiguous { get; set; }

        public override string ToString()
            => $"{Accesses} accesses, {Completed} completed, {Ambiguous} with several answers allowed, {Stale} answered stale";
    }

    /// <summary>Two roots, two tables of each upper level, three leaf tables; addresses of two PDPTEs, two PDEs and four PTEs.</summary>
    private sealed class Player
    {
        private static readonly int[] _tablesOfLevel = [3, 2, 2, 2];
        private static readonly int[] _slotsOfLevel = [4, 2, 2, 1];
        private readonly IStaleBed _bed;
        private readonly bool _forgets;
        private readonly Tally _tally;
        private readonly TranslationHistory _history = new();
        private readonly int[] _rootOf = new int[6];
        private readonly bool[] _isAway = new bool[16];

        /// <summary>Pages that the second stage has moved since the last INVEPT: a processor may still reach either place.</summary>
        private readonly bool[] _mayBeEither = new bool[16];
        private PagingContext _context = new(0, 0, User: true);

        /// <summary>
        /// Whether a cached translation may say that a page is dirty whose leaf is clean: since everything was last forgotten, an entry was
        /// written, or tables were changed for others, a global page of which may be held.
        /// </summary>
        private bool _mayHoldDirty;

        internal Player(IStaleBed bed, bool forgets, Tally tally)
        {
            (_bed, _forgets, _tally) = (bed, forgets, tally);
            for (int level = 3; level >= 0; level--)
            {
                for (int table = 0; table < _tablesOfLevel[level]; table++)
                {
                    for (int slot = 0; slot < _slotsOfLevel[level]; slot++)
                    {
                        ulong target = level == 0 ? Pages + ((ulong)((table * 4) + slot) << 12) : TableAt(level - 1, slot % _tablesOfLevel[level - 1]);
                        Write(EntryAt(level, table, slot), target | 7);
                    }
                }
            }

            Switch();
        }

        internal string? Play(Event each)
        {
            switch (each.Kind)
            {
                case EventKind.Access:
                    return Access(each.A % 16, (MemoryAccess)(1 << (each.B % 3)), (ulong)each.C & 0xFFF);
                case EventKind.Write:
                    Edit(each.A, each.B, each.C);
                    break;
                case EventKind.Switch:
                    _context = new PagingContext((ushort)(each.A & 1), (ushort)(each.B % 3), User: true);
                    Switch();
                    break;
                case EventKind.ChangeRoot:
                    _rootOf[Place] ^= 1;
                    Switch();
                    break;
                case EventKind.Move:
                    int page = each.A % 16;
                    if (_bed.TryMove(Pages + ((ulong)page << 12), !_isAway[page]))
                    {
                        (_isAway[page], _mayBeEither[page], _mayHoldDirty) = (!_isAway[page], true, true);
                    }

                    break;
                default:
                    Invalidate(each.A % 12, AddressOf(each.B % 16) + ((ulong)each.C & 0xFFF));
                    break;
            }

            return null;
        }

        private int Place => (_context.VirtualProcessor * 3) + _context.ProcessContext;

        private static ulong TableAt(int level, int table) => Tables + ((ulong)((level * 4) + table) << 12);

        private static ulong EntryAt(int level, int table, int slot)
            => TableAt(level, table) + TableGeometry.EntryOffset(Base, level) + ((ulong)slot * 8);

        private static ulong AddressOf(int place)
            => Base + ((ulong)(place & 3) << 12) + ((ulong)((place >> 2) & 1) << 21) + ((ulong)(place >> 3) << 30);

        private void Switch()
        {
            ulong root = TableAt(3, _rootOf[Place]);
            _mayHoldDirty = true;
            _bed.SwitchTo(_context, root);
            _history.SwitchTo(_context.VirtualProcessor, _context.ProcessContext, root);
        }

        private void Write(ulong address, ulong entry)
        {
            _mayHoldDirty = true;
            _bed.Write(address, entry);
            _history.Write(address, entry);
        }

        private void Edit(int where, int what, int bits)
        {
            int dice = where % 100;
            int level = dice < 60 ? 0 : dice < 80 ? 1 : dice < 92 ? 2 : 3;
            int table = (where / 100) % _tablesOfLevel[level];
            int slot = (where / 1000) % _slotsOfLevel[level];
            ulong rights = 1UL | ((bits & 7) != 0 ? 2UL : 0) | ((bits & 0x38) != 0 ? 4UL : 0) | ((bits & 0x1C0) == 0 ? 1UL << 63 : 0);
            ulong target = level == 0 ? (Pages + ((ulong)(what % 16) << 12)) | ((what & 0x30) == 0 ? 0x100UL : 0)
                : level == 1 && (what & 0x300) == 0 ? (LargePages + ((ulong)((what >> 12) & 1) << 21)) | 0x80 | ((what & 0x10) == 0 ? 0x100UL : 0)
                : TableAt(level - 1, what % _tablesOfLevel[level - 1]);
            if ((what & 0xF0_0000) == 0)
            {
                // A table as a page, or as a table of another level: as where tables map themselves.
                int other = (what >> 24) & 3;
                target = TableAt(other, (what >> 26) % _tablesOfLevel[other]);
            }

            bool isAbsent = (bits & 0x7000) == 0;
            bool isReserved = (bits & 0xF8000) == 0 && level == 3;
            Write(EntryAt(level, table, slot), isAbsent ? 0 : target | rights | (isReserved ? 0x80UL : 0) | ((ulong)bits >> 20 & 0x60));
        }

        private void Invalidate(int kind, ulong address)
        {
            (ushort processor, ushort process) = (_context.VirtualProcessor, _context.ProcessContext);
            var gva = GuestVirtualAddress.Create(address);
            TlbInvalidation invalidation = kind switch
            {
                0 or 1 or 2 => TlbInvalidation.Invlpg(processor, process, gva),
                3 or 4 => TlbInvalidation.InvpcidAddress(processor, (ushort)(address % 3), gva),
                5 => TlbInvalidation.InvpcidContext(processor, process),
                6 => TlbInvalidation.InvpcidAll(processor),
                7 => TlbInvalidation.InvpcidAllButGlobals(processor),
                8 => TlbInvalidation.InvvpidAll(),
                10 => TlbInvalidation.InvvpidAddress((ushort)(address & 1), gva),
                9 => (address & 1) == 0 ? TlbInvalidation.InveptAll() : TlbInvalidation.InveptContext(0),
                _ => TlbInvalidation.InvpcidContext(processor, (ushort)(address % 3)),
            };
            if (invalidation.Scope is InvalidationScope.All or InvalidationScope.SecondStage)
            {
                _mayHoldDirty = false;
                Array.Clear(_mayBeEither);
            }

            _history.Invalidate(in invalidation);
            if (_forgets)
            {
                _bed.Invalidate(in invalidation);
            }
        }

        private string? Access(int place, MemoryAccess access, ulong offset)
        {
            ulong address = AddressOf(place) + offset;
            IReadOnlyList<TranslationAnswer> answers = _history.AnswersFor(address);
            TranslationStatus status = _bed.Translate(address, access, out ulong hpa);
            _tally.Accesses++;
            _tally.Completed += status == TranslationStatus.Ok ? 1 : 0;
            _tally.Ambiguous += answers.Count > 1 ? 1 : 0;
            int match = -1;
            for (int answer = answers.Count - 1; answer >= 0; answer--)
            {
                match = Matches(answers[answer], status, hpa, access) ? answer : match;
            }

            if (match < 0)
            {
                return $"{access} of 0x{address:x} in {_context}: {status} 0x{hpa:x}; allowed: {string.Join("; ", answers)}";
            }

            _tally.Stale += match > 0 ? 1 : 0;
            if (status != TranslationStatus.Ok)
            {
                _history.Faulted(address);
                return null;
            }

            _history.Used(address);
            return !_mayHoldDirty && access == MemoryAccess.Write && !IsDirty(address)
                ? $"the store to 0x{address:x} in {_context} left its page clean"
                : null;
        }

        private bool Matches(TranslationAnswer answer, TranslationStatus status, ulong hpa, MemoryAccess access)
        {
            bool isAllowed = ((AccessRights)access & ~answer.Rights) == 0 && (answer.Rights & AccessRights.User) != 0;
            return status switch
            {
                TranslationStatus.Ok => answer.IsPresent && isAllowed && Backs(hpa & ~0xFFFUL, answer.Page),
                TranslationStatus.GuestNotPresent => !answer.IsPresent && !answer.IsReserved,
                TranslationStatus.GuestReservedBit => !answer.IsPresent && answer.IsReserved,
                TranslationStatus.GuestProtection => answer.IsPresent && !isAllowed,
                _ => false,
            };
        }

        private bool Backs(ulong hostPage, ulong guestPage)
        {
            ulong number = (guestPage - Pages) >> 12;
            bool isMovable = guestPage >= Pages && number < 16;
            bool isAway = isMovable && _isAway[number];
            return hostPage == _bed.HostPageOf(guestPage, isAway)
                   || (isMovable && _mayBeEither[number] && hostPage == _bed.HostPageOf(guestPage, !isAway));
        }

        private bool IsDirty(ulong address)
        {
            ulong table = TableAt(3, _rootOf[Place]);
            for (int level = 3; ; level--)
            {
                ulong entry = _bed.Read(table + TableGeometry.EntryOffset(address, level));
                if (X64FourLevel.IsLeaf(entry, level))
                {
                    return (entry & 0x60) == 0x60;
                }

                table = TableGeometry.TableAddress(entry);
            }
        }
    }
}
