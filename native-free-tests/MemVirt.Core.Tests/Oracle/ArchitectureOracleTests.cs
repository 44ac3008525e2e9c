using System.Globalization;
using MemVirt.Core.Tests.Tlb;
using MemVirt.Oracle.Architecture;
using Xunit.Abstractions;

namespace MemVirt.Core.Tests.Oracle;

/// <summary>
/// The library against the literal walkers on random tables, registers and accesses: the outcome, what hardware reports of it, and every
/// entry afterwards. MEMVIRT_SOAK_CASES asks for more cases, MEMVIRT_SOAK_SEED for other ones. A failure shrinks.
/// </summary>
public sealed class ArchitectureOracleTests(ITestOutputHelper output)
{
    private const int AccessesPerSet = 8;

    private static long Cases => Setting("MEMVIRT_SOAK_CASES", 1_000_000);

    private static ulong Seed => (ulong)Setting("MEMVIRT_SOAK_SEED", 1);

    [Fact]
    public void Every_walk_tells_what_the_manual_says()
    {
        using var bench = new Bench();
        var tally = new Tally();
        var generator = new CaseGenerator(new SplitMix(Seed));
        for (long done = 0; done < Cases;)
        {
            generator.NextTables();
            bench.Load(generator.Entries, generator.Stage, (CacheUse)(done / AccessesPerSet % 4));
            for (int access = 0; access < AccessesPerSet; access++, done++)
            {
                generator.MayChangeRights();
                LiteralInput input = generator.NextAccess();
                LiteralStageInput stage = bench.Stage;
                var before = bench.Snapshot();
                if (bench.Compare(in input, out LiteralOutcome expected) is { } difference)
                {
                    var found = new ArchitectureCase(input, stage, before);
                    Assert.Fail($"seed {Seed}, case {done}, {bench.Caches}: {difference}\n{Shrink(found)}");
                }

                tally.Count(in expected, in input, generator.Stage.Kind);
            }

            bench.Unload();
        }

        output.WriteLine($"seed {Seed}: {tally}");
        Assert.Equal("", tally.Missing());
    }

    private static string Shrink(ArchitectureCase found)
    {
        using var bench = new Bench();
        string last = "";
        for (bool smaller = true; smaller;)
        {
            smaller = false;
            foreach (ArchitectureCase candidate in found.Smaller())
            {
                if (candidate != found && Size(candidate) < Size(found) && bench.Check(candidate) is { } difference)
                {
                    (found, last, smaller) = (candidate, difference, true);
                    break;
                }
            }
        }

        return last.Length == 0 ? $"it takes the caches that accesses before it filled:\n{found}" : $"smallest: {last}\n{found}";
    }

    private static int Size(ArchitectureCase candidate)
        => candidate.Entries.Sum(entry => 1 + System.Numerics.BitOperations.PopCount(entry.Entry))
           + System.Numerics.BitOperations.PopCount(candidate.Input.Cr4) + System.Numerics.BitOperations.PopCount(candidate.Input.Cr0)
           + System.Numerics.BitOperations.PopCount(candidate.Input.Efer) + System.Numerics.BitOperations.PopCount(candidate.Input.Pkru)
           + System.Numerics.BitOperations.PopCount(candidate.Input.Pkrs) + (candidate.Input.ShadowStack ? 1 : 0)
           + (candidate.Input.ImplicitSupervisor ? 1 : 0) + (candidate.Input.Ac ? 1 : 0) + (candidate.Stage.PmlOn ? 1 : 0)
           + (candidate.Stage.Kind == LiteralStage.None ? 0 : 1);

    private static long Setting(string name, long otherwise)
        => long.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out long value)
            ? value : otherwise;

    /// <summary>Whether walks of one set of tables share caches; nothing is edited meanwhile, so that they must not show.</summary>
    private enum CacheUse
    {
        None,
        OfHostAddresses,
        OfGuestAddresses,

        /// <summary>Those, and the TLB and front of an MMU; it does not keep guest-physical addresses.</summary>
        Tlb,
    }

    /// <summary>Both sides over the same memory.</summary>
    private sealed class Bench : IDisposable
    {
        private readonly EngineUnderTest _engine = new();
        private readonly LiteralMemory _memory = new(CaseGenerator.Frames);
        private readonly LiteralSecondStage _stage;
        private readonly LiteralGuest _guest;
        private (ulong Address, ulong Entry)[] _entries = [];
        private LiteralStageInput _settings;

        internal Bench()
        {
            _stage = new LiteralSecondStage(_memory);
            _guest = new LiteralGuest(_memory, _stage);
        }

        /// <summary>The settings with the log's index as it is now.</summary>
        internal LiteralStageInput Stage => _settings with { PmlIndex = _stage.PmlIndex };

        public void Dispose() => _engine.Dispose();

        internal CacheUse Caches { get; private set; }

        internal void Load(IEnumerable<(ulong Address, ulong Entry)> entries, LiteralStageInput stage, CacheUse caches = CacheUse.None)
        {
            Caches = caches;
            _engine.UseCaches(caches != CacheUse.None, caches == CacheUse.OfGuestAddresses, caches == CacheUse.Tlb);
            _entries = [.. entries];
            _settings = stage;
            _stage.Set(in stage);
            _engine.Log.Index = stage.PmlIndex;
            foreach ((ulong address, ulong entry) in _entries)
            {
                _memory.Write(address, entry);
                _engine.Memory.Write(address, entry);
            }
        }

        internal void Unload()
        {
            foreach ((ulong address, _) in _entries)
            {
                _memory.Write(address, 0);
                _engine.Memory.Write(address, 0);
            }
        }

        internal (ulong Address, ulong Entry)[] Snapshot() => [.. _entries.Select(entry => (entry.Address, _memory.Read(entry.Address)))];

        internal string? Check(ArchitectureCase candidate)
        {
            Load(candidate.Entries, candidate.Stage);
            LiteralInput input = candidate.Input;
            string? difference = Compare(in input, out _);
            Unload();
            return difference;
        }

        internal string? Compare(in LiteralInput input, out LiteralOutcome expected)
        {
            int logged = _stage.Logged.Count;
            expected = _guest.Translate(in input);
            LiteralOutcome actual = _engine.Translate(in input, in _settings);
            bool isFromTlb = Caches == CacheUse.Tlb && expected.Kind == LiteralKind.Ok;
            if (expected.Kind == LiteralKind.PageFault || expected.Kind == LiteralKind.NonCanonical || isFromTlb)
            {
                expected.GuestPhysical = actual.GuestPhysical;
            }

            if (_engine.Complaint is { } complaint)
            {
                return complaint;
            }

            if (expected != actual)
            {
                return $"expected {expected}\nfound    {actual}";
            }

            foreach ((ulong address, _) in _entries)
            {
                if (_memory.Read(address) != _engine.Memory.Read(address))
                {
                    return $"entry at 0x{address:x}: 0x{_memory.Read(address):x} expected, 0x{_engine.Memory.Read(address):x} found";
                }
            }

            if (_settings.PmlOn && _settings.Kind == LiteralStage.Ept)
            {
                if (_engine.Log.Index != _stage.PmlIndex)
                {
                    return $"PML index {_stage.PmlIndex} expected, {_engine.Log.Index} found";
                }

                for (int page = logged; page < _stage.Logged.Count; page++)
                {
                    ulong found = _engine.Log.Pages[(ushort)(_engine.Log.Index + _stage.Logged.Count - page)];
                    if (found != _stage.Logged[page])
                    {
                        return $"PML entry 0x{_stage.Logged[page]:x} expected, 0x{found:x} found";
                    }
                }
            }

            return null;
        }
    }

    /// <summary>What occurred how often, so that a generator which reaches nothing is noticed.</summary>
    private sealed class Tally
    {
        private readonly long[] _kinds = new long[Enum.GetValues<LiteralKind>().Length];
        private readonly long[] _pageFaultBits = new long[7];
        private readonly long[] _qualificationBits = new long[14];
        private readonly long[] _nestedBits = new long[34];
        private readonly long[] _sizes = new long[64];
        private long _tableFaults;
        private long _convertible;

        public override string ToString()
            => string.Join(", ", Enum.GetValues<LiteralKind>().Select(kind => $"{kind} {_kinds[(int)kind]:N0}"));

        internal void Count(in LiteralOutcome outcome, in LiteralInput input, LiteralStage stage)
        {
            _kinds[(int)outcome.Kind]++;
            _sizes[outcome.PageShift]++;
            _tableFaults += outcome.TableAccess && stage != LiteralStage.None && input.Cr0 >> 31 != 0 ? 1 : 0;
            _convertible += outcome.Convertible ? 1 : 0;
            long[]? bits = outcome.Kind switch
            {
                LiteralKind.PageFault => _pageFaultBits,
                LiteralKind.EptViolation => _qualificationBits,
                LiteralKind.NestedPageFault => _nestedBits,
                _ => null,
            };
            for (int bit = 0; bits is not null && bit < bits.Length; bit++)
            {
                bits[bit] += (long)(outcome.Code >> bit) & 1;
            }
        }

        /// <summary>What never occurred, though it must.</summary>
        internal string Missing()
        {
            var missing = new List<string>();
            missing.AddRange(Enum.GetValues<LiteralKind>().Where(kind => _kinds[(int)kind] == 0).Select(kind => $"{kind}"));
            missing.AddRange(Bits("page-fault bit", _pageFaultBits, [0, 1, 2, 3, 4, 5, 6]));
            missing.AddRange(Bits("qualification bit", _qualificationBits, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13]));
            missing.AddRange(Bits("EXITINFO1 bit", _nestedBits, [0, 1, 2, 3, 4, 6, 32, 33]));
            missing.AddRange(Bits("page shift", _sizes, [12, 21, 30]));
            if (_tableFaults == 0 || _convertible == 0)
            {
                missing.Add("faults at tables, or convertible ones");
            }

            return string.Join(", ", missing);
        }

        private static IEnumerable<string> Bits(string what, long[] counts, int[] wanted)
            => wanted.Where(bit => counts[bit] == 0).Select(bit => $"{what} {bit}");
    }
}
