using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tests.Tlb;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Shadow;

/// <summary>
/// A guest with 32-bit or PAE paging, and one that goes from one to the other, under shadow paging against one without virtualization: the
/// same random tables, registers, edits and accesses. Each answer, error code and accessed or dirty flag must be the same.
/// </summary>
public sealed class LegacyGuestsTests
{
    private const int Seeds = 80;
    private const int Steps = 600;
    private const ulong Pointers = 0x10_0020;
    private const ulong Directories = 0x10_1000;
    private const ulong LeafTables = 0x10_8000;
    private const ulong Data = 0x80_0000;
    private const ulong MemoryBytes = 0x140_0000;
    private const ulong WithPse = Cr4.PageSizeExtensions;
    private const ulong WithPae = Cr4.PageSizeExtensions | Cr4.PhysicalAddressExtension;

    [Theory]
    [InlineData(WithPse, 0, PageSize.Size4K)]
    [InlineData(WithPse, 0, PageSize.Size2M)]
    [InlineData(WithPae, 0, PageSize.Size4K)]
    [InlineData(WithPae, 0, PageSize.Size2M)]
    [InlineData(WithPse, 2, PageSize.Size2M)]
    public void Answers_are_those_without_virtualization(ulong cr4, int percentOfSwitches, PageSize backing)
    {
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            using var both = new Both(seed, cr4, backing);
            for (int step = 0; step < Steps; step++)
            {
                both.Step(step, percentOfSwitches);
            }
        }
    }

    [Fact]
    public void A_leaf_table_of_32_bit_paging_has_two_shadow_pages_and_its_directory_four()
    {
        using var both = new Both(seed: 1, WithPse, PageSize.Size4K);
        Assert.Equal(4, both.Pager.ShadowPages);
        both.Map(0x40_0000, LeafTables, Data);
        both.Map(0x60_0000, LeafTables, Data);
        both.Touch(0x40_0000);
        Assert.Equal(5, both.Pager.ShadowPages);
        both.Touch(0x60_0000);
        Assert.Equal(6, both.Pager.ShadowPages);

        both.Map(0x80_0000, LeafTables + 0x1000, Data);
        both.Touch(0x80_0000);

        // A store to a directory's entry empties the two entries that follow it, and no other.
        both.Pager.GuestTableWritten(Directories + 4);
        long faults = both.Pager.Statistics.FaultsTaken;
        both.FlushTlb();
        both.Touch(0x80_0000);
        Assert.Equal(faults, both.Pager.Statistics.FaultsTaken);
        both.Touch(0x40_0000);
        both.Touch(0x60_0000);
        Assert.Equal((faults + 2, 7), (both.Pager.Statistics.FaultsTaken, both.Pager.ShadowPages));
    }

    [Fact]
    public void A_pointer_that_is_not_present_is_the_guests_fault()
    {
        using var both = new Both(seed: 1, WithPae, PageSize.Size4K);
        Assert.Equal(0UL, both.Pager.ShadowRootOf(0x4000_0000));
        Assert.Equal(TranslationStatus.GuestNotPresent, both.Touch(0x4000_0000).Status);
        Assert.Equal(0, both.Pager.Statistics.FaultsFixed);
    }

    private sealed class Both : IDisposable
    {
        private readonly SparseMemory _flat = new();
        private readonly SparseMemory _host = new();
        private readonly GuestMemory _guest;
        private readonly PagingUnit<PagingSource<IdentityStage, HostTableReader>> _native;
        private readonly PagingUnit<ShadowPagingSource<HostTableReader>> _shadow;
        private readonly SplitMix _random;
        private readonly ulong _seed;
        private bool _isPae;

        internal Both(ulong seed, ulong cr4, PageSize backing)
        {
            (_seed, _random) = (seed, new SplitMix(seed));
            var frames = new FrameAllocator(1UL << 26, 1UL << 40);
            _guest = new GuestMemory(_host, frames, backing);
            for (ulong gpa = 0; gpa < MemoryBytes; gpa += 0x1000)
            {
                _guest.Resolve(gpa);
            }

            var registers = new PagingRegisters { Cr0 = Cr0.ProtectionEnable | Cr0.WriteProtect, Efer = Efer.NoExecuteEnable };
            _native = MmuFactory.NativeProcessor(_flat, ProcessorFeatures.Everything, in registers);
            _shadow = MmuFactory.ShadowProcessor(_host, _guest, frames, (_, _) => false, ProcessorFeatures.Everything, in registers);
            Enter(cr4);
        }

        internal ShadowPager Pager => _shadow.Mmu.Source.Pager;

        private int EntryBytes => _isPae ? 8 : 4;

        private int DirectoryShift => _isPae ? 21 : 22;

        public void Dispose()
        {
            _guest.Dispose();
            _host.Dispose();
            _flat.Dispose();
        }

        internal void Step(int step, int percentOfSwitches)
        {
            if (_random.Chance(percentOfSwitches))
            {
                Enter(_isPae ? WithPse : WithPae);
            }

            switch (_random.Below(100))
            {
                case < 10:
                    byte level = (byte)(_random.Chance(50) ? 3 : 0);
                    bool alignmentCheck = _random.Chance(30);
                    OnBoth(unit => unit.ChangePrivilege(level, alignmentCheck));
                    break;
                case < 16:
                    OnBoth(unit => Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr0(unit.Registers.Cr0 ^ Cr0.WriteProtect)));
                    break;
                case < 20:
                    ulong bit = _random.Below(3) switch
                    {
                        0 => Cr4.SupervisorAccessPrevention, 1 => Cr4.SupervisorExecutionPrevention, _ => Cr4.PageGlobalEnable,
                    };
                    OnBoth(unit => Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr4(unit.Registers.Cr4 ^ bit)));
                    break;
                case < 23:
                    OnBoth(unit => Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr3(unit.Registers.Cr3)));
                    break;
                case < 36:
                    Edit();
                    break;
                default:
                    Access(step);
                    break;
            }
        }

        /// <summary>Maps a page by itself, accessed and dirty.</summary>
        internal void Map(ulong address, ulong table, ulong page)
        {
            Put(DirectoryEntry(address), table | 0x67);
            Put(EntryOf(table, address, 12), page | 0x67);
        }

        internal Translation Touch(ulong address) => _shadow.Explain(address, MemoryAccess.Read, out _);

        /// <summary>The VMM's own flush: no table is put in sync.</summary>
        internal void FlushTlb() => _shadow.Mmu.FlushTlb();

        /// <summary>Turns paging off, fills tables of the other shape and turns it on again.</summary>
        private void Enter(ulong cr4)
        {
            OnBoth(unit => Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr0(unit.Registers.Cr0 & ~Cr0.Paging)));
            _isPae = cr4 == WithPae;
            for (ulong at = 0x10_0000; at < LeafTables + 0x8000; at += 8)
            {
                PutWord(at, 0);
            }

            ulong[] gigabytes = [0, 3];
            foreach (ulong gigabyte in gigabytes)
            {
                if (_isPae)
                {
                    PutWord(Pointers + (gigabyte * 8), (Directories + (gigabyte << 12)) | 1);
                }

                for (ulong region = 0; region < 4; region++)
                {
                    Put(DirectoryEntry((gigabyte << 30) | (region << 21)), (LeafTables + ((region + gigabyte) % 3 << 12)) | RandomFlags());
                }

                Put(DirectoryEntry((gigabyte << 30) | (4UL << 21)), Data | 0x80 | RandomFlags());
            }

            for (ulong table = LeafTables; table < LeafTables + 0x3000; table += 0x1000)
            {
                for (ulong page = 0; page < 1024; page++)
                {
                    if (page % 512 is < 8 or >= 504 && (!_isPae || page < 512))
                    {
                        Put(table + (page * (ulong)EntryBytes), RandomLeaf());
                    }
                }
            }

            OnBoth(unit =>
            {
                Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr4(cr4));
                Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr3(_isPae ? Pointers : Directories));
                Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr0(unit.Registers.Cr0 | Cr0.Paging));
            });
            Assert.True(_shadow.Mmu.Source.IsShadowed);
        }

        private ulong EntryOf(ulong table, ulong address, int shift) => table + ((address >> shift) * (ulong)EntryBytes & 0xFFF);

        private ulong DirectoryEntry(ulong address)
            => EntryOf(_isPae ? Directories + (address >> 30 << 12) : Directories, address, DirectoryShift);

        private void Access(int step)
        {
            ulong address = RandomAddress();
            MemoryAccess access = _random.Below(3) switch { 0 => MemoryAccess.Read, 1 => MemoryAccess.Write, _ => MemoryAccess.Fetch };
            string where = $"seed {_seed}, step {step}: {access} of 0x{address:x} at CPL {_native.Registers.CurrentPrivilegeLevel}, "
                           + $"CR0 0x{_native.Registers.Cr0:x}, CR4 0x{_native.Registers.Cr4:x}";
            Translation expected = _native.Explain(address, access, out _);
            Translation actual = _shadow.Explain(address, access, out _);
            bool isTable = actual.Status == TranslationStatus.SecondStageProtection;
            Assert.True(
                isTable ? expected.Status == TranslationStatus.Ok && access == MemoryAccess.Write
                    : (actual.Status, actual.FaultCode) == (expected.Status, expected.FaultCode),
                $"{where}: {expected.Status} {expected.FaultCode}, under shadow paging {actual.Status} {actual.FaultCode}");
            if (expected.Status != TranslationStatus.Ok)
            {
                return;
            }

            ulong gpa = expected.HostPage | (address & 0xFFF);
            Assert.True(isTable ? Pager.LastFaultAddress == gpa : (actual.HostPage | (address & 0xFFF)) == _guest.Resolve(gpa), $"{where}: another page");
            ulong directory = Read(DirectoryEntry(address));
            Assert.True(directory == ReadOfGuest(DirectoryEntry(address)), $"{where}: PDE 0x{directory:x}, 0x{ReadOfGuest(DirectoryEntry(address)):x}");
            if ((directory & 0x80) == 0)
            {
                ulong leaf = EntryOf(directory & 0xFFFF_F000, address, 12);
                Assert.True(Read(leaf) == ReadOfGuest(leaf), $"{where}: PTE 0x{Read(leaf):x}, 0x{ReadOfGuest(leaf):x}");
            }
        }

        private void Edit()
        {
            ulong address = RandomAddress();
            ulong entry = DirectoryEntry(address);
            bool isLeaf = (Read(entry) & 0x80) == 0 && _random.Chance(75);
            if (isLeaf)
            {
                entry = EntryOf(Read(entry) & 0xFFFF_F000, address, 12);
            }

            Put(entry, isLeaf ? RandomLeaf() : (Read(entry) & ~0x8000_0000_0000_0067UL) | RandomFlags());
            if (Pager.GuestTableWritten(entry) == GuestTableWrite.ProtectedAndZapped)
            {
                _shadow.Mmu.FlushTlb();
            }

            if (!isLeaf)
            {
                // A global page outlives a load of CR3.
                OnBoth(unit => unit.MoveToCr4(unit.Registers.Cr4 ^ Cr4.PageGlobalEnable));
                return;
            }

            // A leaf table is reached by several paths.
            for (ulong alias = 0; alias < 8; alias++)
            {
                ulong path = ((alias & 4) != 0 ? 3UL << 30 : 0) | ((alias & 3) << 21) | (address & 0x1F_F000);
                OnBoth(unit => unit.Invlpg(path));
            }
        }

        private ulong RandomAddress()
        {
            ulong page = (ulong)_random.Below(16);
            return (_random.Chance(50) ? 3UL << 30 : 0) | ((ulong)_random.Below(6) << 21) | ((page < 8 ? page : 496 + page) << 12) | 8;
        }

        private ulong RandomLeaf()
        {
            // Now and then a page that holds a table.
            ulong page = _random.Chance(15)
                ? Directories + ((ulong)_random.Below(10) << 12) : Data + 0x40_0000 + ((ulong)_random.Below(32) << 12);
            return page | (_random.Chance(15) ? 0 : RandomFlags()) | (_random.Chance(20) ? 0x100UL : 0);
        }

        /// <summary>Present, of random rights, accessed and dirty or not.</summary>
        private ulong RandomFlags()
            => 1 | (_random.Chance(70) ? 2UL : 0) | (_random.Chance(70) ? 4UL : 0) | (_random.Chance(50) ? 0x20UL : 0)
               | (_random.Chance(50) ? 0x40UL : 0) | (_random.Chance(20) ? 1UL << 63 : 0);

        private ulong Read(ulong entry) => Half(_flat.Read(entry & ~7UL), entry);

        private ulong ReadOfGuest(ulong entry) => Half(_guest.Read(entry & ~7UL), entry);

        private ulong Half(ulong word, ulong entry) => _isPae ? word : (word >> ((int)(entry & 4) * 8)) & uint.MaxValue;

        private void Put(ulong entry, ulong value)
        {
            int shift = (int)(entry & 4) * 8;
            ulong mask = _isPae ? ulong.MaxValue : (ulong)uint.MaxValue << shift;
            PutWord(entry & ~7UL, (_flat.Read(entry & ~7UL) & ~mask) | ((value << shift) & mask));
        }

        private void PutWord(ulong at, ulong word)
        {
            _flat.Write(at, word);
            _guest.Write(at, word);
        }

        private void OnBoth(Action<PagingUnit> action)
        {
            action(_native);
            action(_shadow);
        }
    }
}
