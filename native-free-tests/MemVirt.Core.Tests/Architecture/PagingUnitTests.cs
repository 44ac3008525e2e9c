using MemVirt.Core.Access;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.MemoryTypes;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tests.Registers;
using MemVirt.Core.Tests.Walking;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Architecture;

/// <summary>One processor from reset to long mode, its register writes taking effect as the manual says (Intel SDM Vol. 3A ch. 4).</summary>
public sealed class PagingUnitTests : IDisposable
{
    private const ulong User = 0x40_0000;
    private const ulong Supervisor = 0x40_1000;
    private const ulong ReadOnly = 0x40_2000;
    private const ulong Page = 0x80_0000;
    private readonly SparseMemory _memory = new();
    private readonly TableBuilder<X64FourLevel> _tables;

    public PagingUnitTests()
    {
        _tables = new TableBuilder<X64FourLevel>(_memory, new FrameAllocator(0x1000, Page));
        _tables.Map(User, Page, dirty: true);
        _tables.Map(Supervisor, Page + 0x1000, rights: AccessRights.Read | AccessRights.Write | AccessRights.Execute, dirty: true);
        _tables.Map(ReadOnly, Page + 0x2000, rights: AccessRights.Read | AccessRights.User, dirty: true);
    }

    [Fact]
    public void Without_paging_linear_addresses_are_physical()
    {
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Unit(default);
        Assert.Equal(TranslationStatus.Ok, unit.Translate(0x1234_5678, MemoryAccess.Write, out Core.Addresses.HostPhysicalAddress hpa));
        Assert.Equal(0x1234_5678UL, hpa.Value);
        Assert.Equal(TranslationStatus.Ok, unit.Translate(0xFFFF_FFFF_1234_5678, MemoryAccess.Fetch, out hpa));
        Assert.Equal(0x1234_5678UL, hpa.Value);
    }

    /// <summary>§4.1.2: PAE, then LME, then PG; the walk follows each step, and LMA appears.</summary>
    [Fact]
    public void A_processor_boots_into_four_level_paging()
    {
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Unit(default);
        Assert.Equal(RegisterWriteOutcome.GeneralProtection, unit.MoveToCr0(Cr0.Paging));
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr4(Cr4.PhysicalAddressExtension));
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr3(_tables.Root));
        Assert.Equal(RegisterWriteOutcome.Done, unit.WriteEfer(Efer.LongModeEnable | Efer.NoExecuteEnable));
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr0(Cr0.Paging | Cr0.ProtectionEnable));
        Assert.Equal(PagingMode.FourLevel, unit.Registers.Mode);
        Assert.NotEqual(0UL, unit.Registers.Efer & Efer.LongModeActive);
        Assert.Equal(Page + 0x345, Hpa(unit, User + 0x345, MemoryAccess.Read));
        Assert.Equal(TranslationStatus.GuestNotPresent, unit.Translate(0x1000, MemoryAccess.Read, out _));
        Assert.Equal(TranslationStatus.NotCanonical, unit.Translate(1UL << 47, MemoryAccess.Read, out _));
    }

    /// <summary>§4.3, table 4-4: 32-bit paging with a 4 KiB page, a 4 MiB page, and a 4 MiB page above 4 GiB (PSE-36).</summary>
    [Fact]
    public void Bits32_paging_maps_small_and_large_pages()
    {
        Put32(0x10_0000 + (1 * 4), 0x10_1007);
        Put32(0x10_1000 + (2 * 4), 0x0030_5007);
        Put32(0x10_0000 + (3 * 4), 0x00C0_0087);
        Put32(0x10_0000 + (4 * 4), 0x0100_0087 | (0x12 << 13));
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Unit(new PagingRegisters
        {
            Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect, Cr3 = 0x10_0000, Cr4 = Cr4.PageSizeExtensions,
        });
        Assert.Equal(0x30_5123UL, Hpa(unit, 0x0040_2123, MemoryAccess.Write));
        Assert.Equal(0xE3_4567UL, Hpa(unit, 0x00E3_4567, MemoryAccess.Write));
        Assert.Equal(0x12_0123_4567UL, Hpa(unit, 0x0123_4567, MemoryAccess.Write));
        Assert.Equal(0x0030_5067UL, _memory.Read(0x10_1008) & uint.MaxValue);
        Assert.Equal(0x10_1027UL, _memory.Read(0x10_0000) >> 32);
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr4(0));
        Put32(0x10_0000 + (3 * 4), 0x10_1087);
        Assert.Equal(0x30_5000UL, Hpa(unit, 0x00C0_2000, MemoryAccess.Read));
    }

    /// <summary>§4.4: the PDPTE registers are loaded by MOV to CR3 and not looked up afterwards; a reserved bit in one is #GP.</summary>
    [Fact]
    public void Pae_paging_uses_the_registers_that_mov_to_cr3_loaded()
    {
        Put(0x20_0020, 0x20_1001);
        Put(0x20_0028, 0);
        Put(0x20_1000, 0x0060_0087 | (1UL << 63));
        var registers = new PagingRegisters
        {
            Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect, Cr4 = Cr4.PhysicalAddressExtension, Efer = Efer.NoExecuteEnable,
        };
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Unit(registers);
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr3(0x20_0020));
        Assert.Equal(0x60_0123UL, Hpa(unit, 0x123, MemoryAccess.Read));
        Put(0x20_0028, 0x20_1001);
        Assert.Equal(TranslationStatus.GuestNotPresent, unit.Translate(0x4000_0123, MemoryAccess.Read, out _));
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr3(0x20_0020));
        Assert.Equal(0x60_0123UL, Hpa(unit, 0x4000_0123, MemoryAccess.Read));
        Translation fetch = unit.Explain(0x123, MemoryAccess.Fetch, out _);
        Assert.Equal((ulong)(PageFaultErrorCode.Present | PageFaultErrorCode.InstructionFetch), fetch.FaultCode);
        Put(0x20_0020, 0x20_1003);
        Assert.Equal(RegisterWriteOutcome.GeneralProtection, unit.MoveToCr3(0x20_0020));
        Assert.Equal(0x60_0123UL, Hpa(unit, 0x123, MemoryAccess.Read));
    }

    /// <summary>§4.5: with CR4.LA57 bits 56:48 of the address select an entry of a fifth level; without it they must repeat bit 47.</summary>
    [Fact]
    public void Five_level_paging_translates_57_bits()
    {
        var tables = new TableBuilder<FiveLevels<X64FourLevel>>(_memory, new FrameAllocator(0x100_0000, 0x200_0000));
        const ulong far = 0xFF12_3456_7890_1000;
        tables.Map(far & 0x01FF_FFFF_FFFF_FFFF, Page + 0x5000);
        tables.Map(User, Page + 0x6000);
        var registers = new PagingRegisters
        {
            Cr0 = Cr0.Paging | Cr0.ProtectionEnable,
            Cr3 = tables.Root,
            Cr4 = Cr4.PhysicalAddressExtension | Cr4.LinearAddress57,
            Efer = Efer.LongModeEnable | Efer.LongModeActive,
        };
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Unit(registers);
        Assert.Equal(PagingMode.FiveLevel, unit.Registers.Mode);
        Assert.Equal(Page + 0x5123, Hpa(unit, far + 0x123, MemoryAccess.Write));
        Assert.Equal(Page + 0x5123, Hpa(unit, far + 0x123, MemoryAccess.Write));
        Assert.Equal(Page + 0x6000, Hpa(unit, User, MemoryAccess.Read));
        Assert.Equal(TranslationStatus.NotCanonical, unit.Translate(1UL << 56, MemoryAccess.Read, out _));
        Assert.Equal(TranslationStatus.NotCanonical, Long(0).Translate(far, MemoryAccess.Read, out _));
    }

    /// <summary>The same processor under EPT and under nested paging: 24 reads, and the same bytes.</summary>
    [Fact]
    public void A_virtual_processor_reaches_the_same_page_through_ept_and_npt()
    {
        using var ept = new NestedTestbed<EptFormat>();
        using var npt = new NestedTestbed<NptFormat>();
        ept.Guest.Map(User, NestedTestbed<EptFormat>.Data);
        npt.Guest.Map(User, NestedTestbed<NptFormat>.Data);
        PagingRegisters registers = Long(0).Registers;
        registers.Cr3 = ept.Guest.Root;
        var underEpt = MmuFactory.EptProcessor(ept.Memory, ept.Host.Root, EptSettings.Default, ProcessorFeatures.Everything, registers);
        registers.Cr3 = npt.Guest.Root;
        var underNpt = MmuFactory.NptProcessor(npt.Memory, npt.Host.Root, NptSettings.Default, ProcessorFeatures.Everything, registers);
        const ulong expected = NestedTestbed<EptFormat>.Data + NestedTestbed<EptFormat>.Offset + 0x42;
        Assert.Equal(TranslationStatus.Ok, underEpt.Translate(User + 0x42, MemoryAccess.Write, out Core.Addresses.HostPhysicalAddress hpa));
        Assert.Equal(expected, hpa.Value);
        Assert.Equal(TranslationStatus.Ok, underNpt.Translate(User + 0x42, MemoryAccess.Write, out hpa));
        Assert.Equal(expected, hpa.Value);
        Translation fault = underNpt.Explain(0x7000, MemoryAccess.Read, out ulong linear);
        Assert.Equal((TranslationStatus.GuestNotPresent, 0x7000UL), (fault.Status, linear));
    }

    /// <summary>
    /// §4.10.4.1: INVLPG drops a global page in every PCID, and a large one as a whole, though EPT's smaller pages let it be held in pieces:
    /// the piece that another PCID used last stands in the front.
    /// </summary>
    [Fact]
    public void A_global_page_held_in_pieces_is_dropped_for_other_processes_too()
    {
        using var bed = new NestedTestbed<EptFormat>();
        ulong entry = bed.Guest.Map(0x40_0000, NestedTestbed<EptFormat>.Data, Core.Addresses.PageSize.Size2M);
        ulong global = bed.Guest.Read(entry) | (1 << 8);
        bed.Guest.Write(entry, global);
        PagingRegisters registers = Long(Cr4.ProcessContextEnable | Cr4.PageGlobalEnable).Registers;
        registers.Cr3 = bed.Guest.Root | 1;
        var unit = MmuFactory.EptProcessor(bed.Memory, bed.Host.Root, EptSettings.Default, ProcessorFeatures.Everything, registers);
        Assert.Equal(TranslationStatus.Ok, unit.Translate(0x40_3000, MemoryAccess.Read, out _));
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr3(bed.Guest.Root | 2 | Cr3.NoInvalidation));
        bed.Guest.Write(entry, 0);
        unit.Invlpg(0x40_0000);
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr3(bed.Guest.Root | 1 | Cr3.NoInvalidation));
        Assert.Equal(TranslationStatus.GuestNotPresent, unit.Translate(0x40_3000, MemoryAccess.Read, out _));
    }

    /// <summary>§4.6: SMAP with EFLAGS.AC, SMEP, and back, while the pages stay in the TLB.</summary>
    [Fact]
    public void Smap_and_smep_bind_supervisor_mode_at_once()
    {
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Long(Cr4.SupervisorAccessPrevention);
        Assert.Equal(TranslationStatus.GuestProtection, unit.Translate(User, MemoryAccess.Read, out _));
        unit.ChangePrivilege(0, alignmentCheck: true);
        Assert.Equal(TranslationStatus.Ok, unit.Translate(User, MemoryAccess.Read, out _));
        unit.ChangePrivilege(0, alignmentCheck: false);
        Assert.Equal(TranslationStatus.GuestProtection, unit.Translate(User, MemoryAccess.Read, out _));
        Assert.Equal(TranslationStatus.Ok, unit.Translate(User, MemoryAccess.Fetch, out _));
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr4(Cr4.PhysicalAddressExtension | Cr4.SupervisorExecutionPrevention));
        Assert.Equal(TranslationStatus.Ok, unit.Translate(User, MemoryAccess.Read, out _));
        Assert.Equal(TranslationStatus.GuestProtection, unit.Translate(User, MemoryAccess.Fetch, out _));
        unit.ChangePrivilege(3, alignmentCheck: false);
        Assert.Equal(TranslationStatus.Ok, unit.Translate(User, MemoryAccess.Fetch, out _));
        Assert.Equal(TranslationStatus.GuestProtection, unit.Translate(Supervisor, MemoryAccess.Read, out _));
    }

    /// <summary>§4.6.1: an implicit supervisor access at CPL 3 is one of supervisor mode, and EFLAGS.AC does not help it.</summary>
    [Fact]
    public void An_implicit_access_is_a_supervisor_access()
    {
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Long(Cr4.SupervisorAccessPrevention);
        unit.ChangePrivilege(3, alignmentCheck: true);
        Assert.Equal(TranslationStatus.GuestProtection, unit.Translate(Supervisor, MemoryAccess.Read, out _));
        Assert.Equal(TranslationStatus.Ok, unit.TranslateAs(Supervisor, AccessRights.Read, out _).Status);
        Translation fault = unit.TranslateAs(User, AccessRights.Read, out _);
        Assert.Equal(TranslationStatus.GuestProtection, fault.Status);
        Assert.Equal((ulong)PageFaultErrorCode.Present, fault.FaultCode);
    }

    /// <summary>§4.6.2: PKRU takes effect at once; the error code has PK.</summary>
    [Fact]
    public void Protection_keys_follow_pkru()
    {
        ulong entry = _tables.EntryAt(User, 0);
        _tables.Write(entry, _tables.Read(entry) | (5UL << 59));
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Long(Cr4.ProtectionKeysUser);
        unit.ChangePrivilege(3, alignmentCheck: false);
        Assert.Equal(TranslationStatus.Ok, unit.Translate(User, MemoryAccess.Write, out _));
        Assert.Equal(RegisterWriteOutcome.Done, unit.WritePkru(2UL << 10));
        Assert.Equal(TranslationStatus.Ok, unit.Translate(User, MemoryAccess.Read, out _));
        Translation fault = unit.Explain(User, MemoryAccess.Write, out _);
        Assert.Equal(
            (ulong)(PageFaultErrorCode.Present | PageFaultErrorCode.Write | PageFaultErrorCode.User | PageFaultErrorCode.ProtectionKey),
            fault.FaultCode);
        Assert.Equal(RegisterWriteOutcome.Done, unit.WritePkru(0));
        Assert.Equal(TranslationStatus.Ok, unit.Translate(User, MemoryAccess.Write, out _));
    }

    /// <summary>§4.6.1: without CR0.WP supervisor mode writes to read-only pages; user mode does not.</summary>
    [Fact]
    public void Write_protection_binds_supervisor_mode_with_wp_alone()
    {
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Long(0);
        Assert.Equal(TranslationStatus.GuestProtection, unit.Translate(ReadOnly, MemoryAccess.Write, out _));
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr0(Cr0.Paging | Cr0.ProtectionEnable));
        Assert.Equal(TranslationStatus.Ok, unit.Translate(ReadOnly, MemoryAccess.Write, out _));
        unit.ChangePrivilege(3, alignmentCheck: false);
        Assert.Equal(TranslationStatus.GuestProtection, unit.Translate(ReadOnly, MemoryAccess.Write, out _));
        unit.ChangePrivilege(0, alignmentCheck: false);
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr0(Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect));
        Assert.Equal(TranslationStatus.GuestProtection, unit.Translate(ReadOnly, MemoryAccess.Write, out _));
    }

    /// <summary>§4.10.4.1: MOV to CR3 with bit 63 keeps what is cached, without it drops the PCID's translations.</summary>
    [Fact]
    public void Mov_to_cr3_flushes_unless_bit_63_is_set()
    {
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Long(Cr4.ProcessContextEnable | Cr4.PageGlobalEnable);
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr3(_tables.Root | 3));
        Hpa(unit, User, MemoryAccess.Read);
        long walks = unit.Mmu.Walks;
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr3(_tables.Root | 4));
        Hpa(unit, User, MemoryAccess.Read);
        Assert.Equal(walks + 1, unit.Mmu.Walks);
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr3(_tables.Root | 3 | Cr3.NoInvalidation));
        Hpa(unit, User, MemoryAccess.Read);
        Assert.Equal(walks + 1, unit.Mmu.Walks);
        Assert.Equal(_tables.Root | 3, unit.Registers.Cr3);
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr3(_tables.Root | 3));
        Hpa(unit, User, MemoryAccess.Read);
        Assert.Equal(walks + 2, unit.Mmu.Walks);
    }

    /// <summary>SDM Vol. 2, INVPCID: what is #GP, and that type 0 drops the address. It may have the bits that the processor has.</summary>
    [Fact]
    public void Invpcid_checks_its_descriptor()
    {
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Long(Cr4.ProcessContextEnable);
        Assert.Equal(RegisterWriteOutcome.GeneralProtection, unit.Invpcid(4, 0, 0));
        Assert.Equal(RegisterWriteOutcome.GeneralProtection, unit.Invpcid(1, 1 << 12, 0));
        Assert.Equal(RegisterWriteOutcome.GeneralProtection, unit.Invpcid(0, 0, 1UL << 56));
        Assert.Equal(RegisterWriteOutcome.Done, unit.Invpcid(0, 0, 1UL << 47));
        Hpa(unit, User, MemoryAccess.Read);
        long walks = unit.Mmu.Walks;
        Assert.Equal(RegisterWriteOutcome.Done, unit.Invpcid(0, 0, User));
        Hpa(unit, User, MemoryAccess.Read);
        Assert.Equal(walks + 1, unit.Mmu.Walks);
        unit.Invlpg(1UL << 47);
        unit.Invlpg(User);
        Hpa(unit, User, MemoryAccess.Read);
        Assert.Equal(walks + 2, unit.Mmu.Walks);
    }

    /// <summary>Linear-address masking: the metadata of a user pointer to data is no part of the address; a fetch keeps the check.</summary>
    [Fact]
    public void Masked_pointers_reach_the_page_and_fetches_do_not()
    {
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Long(0);
        ulong tagged = User | (0x2AUL << 57);
        Assert.Equal(TranslationStatus.NotCanonical, unit.Translate(tagged, MemoryAccess.Read, out _));
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr3(_tables.Root | Cr3.LinearAddressMaskingUser57));
        Assert.Equal(Page, Hpa(unit, tagged, MemoryAccess.Read));
        Assert.Equal(TranslationStatus.NotCanonical, unit.Translate(tagged, MemoryAccess.Fetch, out _));
    }

    /// <summary>§4.9: PWT, PCD and PAT choose from the PAT; the MTRRs default to write-back.</summary>
    [Fact]
    public void A_translation_bears_its_memory_type()
    {
        ulong entry = _tables.EntryAt(User, 0);
        _tables.Write(entry, _tables.Read(entry) | (1 << 4) | (1 << 3));
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Long(0);
        Assert.Equal(MemoryType.WriteBack, unit.Explain(User, MemoryAccess.Read, out _).MemoryType);
        unit.MemoryTypes = new MemoryTypeRules();
        unit.Mmu.Invalidate(Invalidation.TlbInvalidation.All);
        Assert.Equal(MemoryType.Uncacheable, unit.Explain(User, MemoryAccess.Read, out _).MemoryType);
        Assert.Equal(MemoryType.Uncacheable, unit.Explain(User, MemoryAccess.Read, out _).MemoryType);
        Assert.Equal(MemoryType.WriteBack, unit.Explain(Supervisor, MemoryAccess.Read, out _).MemoryType);
        Assert.Equal(RegisterWriteOutcome.Done, unit.MoveToCr0(unit.Registers.Cr0 | Cr0.CacheDisable));
        unit.Mmu.Invalidate(Invalidation.TlbInvalidation.All);
        Assert.Equal(MemoryType.Uncacheable, unit.Explain(Supervisor, MemoryAccess.Read, out _).MemoryType);
    }

    /// <summary>§4.6, shadow stacks: read-only and dirty, writable above; for shadow-stack accesses of the same mode alone.</summary>
    [Fact]
    public void Shadow_stack_pages_take_shadow_stack_accesses()
    {
        const AccessRights UserShadowWrite = AccessRights.Write | AccessRights.User | AccessRights.ShadowStack;
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Long(Cr4.ControlFlowEnforcement);
        Assert.Equal(TranslationStatus.Ok, unit.TranslateAs(ReadOnly, UserShadowWrite, out _).Status);
        Translation fault = unit.TranslateAs(User, UserShadowWrite, out _);
        Assert.Equal(TranslationStatus.GuestProtection, fault.Status);
        Assert.Equal(
            (ulong)(PageFaultErrorCode.Present | PageFaultErrorCode.Write | PageFaultErrorCode.User | PageFaultErrorCode.ShadowStack),
            fault.FaultCode);
        Assert.Equal(
            TranslationStatus.GuestProtection, unit.TranslateAs(ReadOnly, AccessRights.Read | AccessRights.ShadowStack, out _).Status);
    }

    /// <summary>Privilege changes, register writes and invalidations allocate nothing.</summary>
    [Fact]
    public void Nothing_allocates()
    {
        PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit = Long(Cr4.ProcessContextEnable | Cr4.ProtectionKeysUser);
        Assert.Equal(0, Allocations.Of(() =>
        {
            for (int round = 0; round < 1_000; round++)
            {
                Exercise(unit);
            }
        }));
    }

    public void Dispose() => _memory.Dispose();

    private void Exercise(PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit)
    {
        unit.Translate(User, MemoryAccess.Write, out _);
        unit.ChangePrivilege(3, alignmentCheck: false);
        unit.WritePkru(0x30);
        unit.Translate(User, MemoryAccess.Read, out _);
        unit.MoveToCr3(_tables.Root | 5);
        unit.MoveToCr4(unit.Registers.Cr4 ^ Cr4.SupervisorAccessPrevention);
        unit.Invpcid(1, 5, 0);
        unit.Invlpg(User);
        unit.ChangePrivilege(0, alignmentCheck: true);
        unit.Explain(0x123, MemoryAccess.Read, out _);
        unit.TranslateAs(Supervisor, AccessRights.Read, out _);
    }

    private static ulong Hpa(PagingUnit<PagingSource<IdentityStage, HostTableReader>> unit, ulong pointer, MemoryAccess access)
    {
        Assert.Equal(TranslationStatus.Ok, unit.Translate(pointer, access, out Core.Addresses.HostPhysicalAddress hpa));
        return hpa.Value;
    }

    private PagingUnit<PagingSource<IdentityStage, HostTableReader>> Unit(PagingRegisters registers)
        => MmuFactory.NativeProcessor(_memory, ProcessorFeatures.Everything, registers);

    private PagingUnit<PagingSource<IdentityStage, HostTableReader>> Long(ulong cr4)
        => Unit(new PagingRegisters
        {
            Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
            Cr3 = _tables.Root,
            Cr4 = Cr4.PhysicalAddressExtension | cr4,
            Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
        });

    private void Put(ulong address, ulong word)
    {
        _memory.Write(address, word);
    }

    private void Put32(ulong address, ulong entry)
    {
        int shift = (int)(address & 4) * 8;
        _memory.Write(address & ~7UL, (_memory.Read(address & ~7UL) & ~((ulong)uint.MaxValue << shift)) | (entry << shift));
    }
}
