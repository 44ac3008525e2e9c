using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tests.Tlb;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Shadow;

/// <summary>
/// A processor under shadow paging against one without virtualization: the same random tables, registers, edits and accesses. Each answer,
/// error code and accessed or dirty flag must be the same.
/// </summary>
public sealed class ShadowedProcessorTests
{
    private const int Seeds = 120;
    private const int Steps = 600;
    private const ulong Root = 0x10_0000;
    private const ulong LeafTables = 0x10_4000;
    private const ulong Data = 0x80_0000;
    private const ulong MemoryBytes = 0x100_0000;
    private const ulong Base = 0x80_0000_0000;

    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    public void Answers_are_those_without_virtualization(PageSize backing)
    {
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            using var both = new Both(seed, backing);
            for (int step = 0; step < Steps; step++)
            {
                both.Step(step);
            }
        }
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

        internal Both(ulong seed, PageSize backing)
        {
            (_seed, _random) = (seed, new SplitMix(seed));
            var frames = new FrameAllocator(1UL << 26, 1UL << 40);
            _guest = new GuestMemory(_host, frames, backing);
            for (ulong gpa = 0; gpa < MemoryBytes; gpa += 0x1000)
            {
                _guest.Resolve(gpa);
            }

            // Two page directories below one path, one entry of each a large page; four leaf tables, one of them shared.
            Put(Root + TableGeometry.EntryOffset(Base, 3), (Root + 0x1000) | 0x67);
            Put(Root + 0x1000, (Root + 0x2000) | RandomFlags());
            Put(Root + 0x1008, (Root + 0x3000) | RandomFlags());
            for (ulong directory = 0; directory < 2; directory++)
            {
                for (ulong entry = 0; entry < 2; entry++)
                {
                    Put(Root + 0x2000 + (directory << 12) + (entry * 8), (LeafTables + (((directory * 2) + entry) % 3 << 12)) | RandomFlags());
                }

                Put(Root + 0x2010 + (directory << 12), Data | 0x80 | RandomFlags());
            }

            for (ulong table = 0; table < 3; table++)
            {
                for (ulong entry = 0; entry < 16; entry++)
                {
                    Put(LeafTables + (table << 12) + (entry * 8), RandomLeaf());
                }
            }

            var registers = new PagingRegisters
            {
                Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
                Cr3 = Root,
                Cr4 = Cr4.PhysicalAddressExtension,
                Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
            };
            _native = MmuFactory.NativeProcessor(_flat, ProcessorFeatures.Everything, in registers);
            _shadow = MmuFactory.ShadowProcessor(
                _host, _guest, frames, (_, _) => false, ProcessorFeatures.Everything, in registers);
        }

        private ShadowPager Pager => _shadow.Mmu.Source.Pager;

        public void Dispose()
        {
            _guest.Dispose();
            _host.Dispose();
            _flat.Dispose();
        }

        internal void Step(int step)
        {
            int kind = _random.Below(100);
            switch (kind)
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
                    OnBoth(unit => unit.MoveToCr3(Root));
                    break;
                case < 35:
                    Edit();
                    break;
                default:
                    Access(step);
                    break;
            }
        }

        private static ulong TableOf(ulong address, Func<ulong, ulong> read, int level)
        {
            ulong table = Root;
            for (int above = 3; above > level; above--)
            {
                table = TableGeometry.TableAddress(read(table + TableGeometry.EntryOffset(address, above)));
            }

            return table;
        }

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
            for (int level = 3; level >= 0; level--)
            {
                ulong entry = TableOf(address, _flat.Read, level) + TableGeometry.EntryOffset(address, level);
                Assert.True(_flat.Read(entry) == _guest.Read(entry), $"{where}: 0x{_flat.Read(entry):x}, under shadow paging 0x{_guest.Read(entry):x}");
                if ((_flat.Read(entry) & 0x80) != 0 && level == 1)
                {
                    break;
                }
            }
        }

        /// <summary>A leaf changes, or an upper entry's rights, and what may be cached of it is forgotten.</summary>
        private void Edit()
        {
            ulong address = RandomAddress();
            bool isLarge = (address >> 21 & 3) == 2;
            int level = isLarge ? 1 : _random.Chance(75) ? 0 : _random.Chance(50) ? 1 : 2;
            ulong entry = TableOf(address, _flat.Read, level) + TableGeometry.EntryOffset(address, level);
            ulong old = _flat.Read(entry);
            ulong value = level == 0 ? RandomLeaf() : (old & ~0x8000_0000_0000_0067UL) | RandomFlags();
            Put(entry, value);
            if (Pager.GuestTableWritten(entry) == GuestTableWrite.ProtectedAndZapped)
            {
                _shadow.Mmu.FlushTlb();
            }

            if (level == 0)
            {
                // A leaf table is reached by several paths.
                for (ulong region = 0; region < 4; region++)
                {
                    ulong alias = Base | (region >> 1 << 30) | ((region & 1) << 21) | (address & 0xF000);
                    OnBoth(unit => unit.Invlpg(alias));
                }
            }
            else
            {
                // A global page outlives a load of CR3.
                OnBoth(unit => unit.MoveToCr4(unit.Registers.Cr4 ^ Cr4.PageGlobalEnable));
            }
        }

        private ulong RandomAddress()
            => Base | ((ulong)_random.Below(2) << 30) | ((ulong)_random.Below(3) << 21) | ((ulong)_random.Below(16) << 12) | 8;

        private ulong RandomLeaf()
        {
            // Now and then a page that holds a table.
            ulong page = _random.Chance(15)
                ? Root + ((ulong)_random.Below(7) << 12) : Data + 0x20_0000 + ((ulong)_random.Below(32) << 12);
            return page | (_random.Chance(15) ? 0 : RandomFlags()) | (_random.Chance(20) ? X64FourLevel.Global : 0);
        }

        /// <summary>Present, of random rights, accessed and dirty or not.</summary>
        private ulong RandomFlags()
            => 1 | (_random.Chance(70) ? 2UL : 0) | (_random.Chance(70) ? 4UL : 0) | (_random.Chance(50) ? 0x20UL : 0)
               | (_random.Chance(50) ? 0x40UL : 0) | (_random.Chance(20) ? 1UL << 63 : 0);

        private void Put(ulong entry, ulong value)
        {
            _flat.Write(entry, value);
            _guest.Write(entry, value);
        }

        private void OnBoth(Action<PagingUnit> action)
        {
            action(_native);
            action(_shadow);
        }
    }
}
