using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Invalidation;
using MemVirt.Core.MemoryTypes;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;

namespace MemVirt.Core;

/// <summary>
/// The paging side of one logical processor: its registers, the instructions that change them or invalidate translations, and the
/// MMU that follows them in whatever paging mode they choose (Intel SDM Vol. 3A ch. 4). Serves one thread; no call allocates.
/// </summary>
/// <typeparam name="TSource">What translates: <see cref="PagingSource{TStage, TReader}"/> over no second stage, EPT or NPT; or shadow paging.</typeparam>
public sealed class PagingUnit<TSource> : PagingUnit
    where TSource : struct, IPagingSource
{
    private readonly ProcessorFeatures _features;
    private readonly GuestRules _rules;
    private ushort _virtualProcessor;
    private ushort _secondStage;

    /// <summary>What must be 0 in CR3 for a load that only changes root and PCID.</summary>
    private ulong _unusualCr3 = ulong.MaxValue;

    /// <summary>A processor with registers as they are, which are taken for valid.</summary>
    /// <param name="features">What CPUID says.</param>
    /// <param name="rules">The rules that the source follows; the unit updates them.</param>
    /// <param name="source">What translates.</param>
    /// <param name="registers">The registers; in PAE mode the PDPTE registers are loaded by <see cref="TryReloadPdptes"/>.</param>
    /// <param name="tlbEntries">Entries of the tagged TLB.</param>
    /// <param name="tlbWays">Its ways.</param>
    public PagingUnit(
        ProcessorFeatures features, GuestRules rules, TSource source, in PagingRegisters registers, int tlbEntries = 2048, int tlbWays = 8)
        : this(features, rules, new Mmu<TSource>(source, tlbEntries, tlbWays), in registers)
    {
    }

    private PagingUnit(ProcessorFeatures features, GuestRules rules, Mmu<TSource> mmu, in PagingRegisters registers)
        : base(mmu)
    {
        _features = features;
        _rules = rules;
        Mmu = mmu;
        Commit(in registers);
    }

    /// <summary>The MMU; invalidations from elsewhere (INVEPT, a shoot-down) go to it.</summary>
    public new Mmu<TSource> Mmu { get; }

    /// <inheritdoc/>
    public override PageDirectoryPointers PageDirectoryPointers => Mmu.Source.Pdptes;

    /// <summary>Why <see cref="RegisterWriteOutcome.SecondStageFault"/> came about.</summary>
    public SecondStageFault LastStageFault { get; private set; }

    /// <summary>
    /// PATs and MTRRs, for translations to bear memory types; null for none. CR0.CD is the registers'; a change of it shows in
    /// translations that are walked from then on.
    /// </summary>
    public MemoryTypeRules? MemoryTypes
    {
        get => _rules.MemoryTypes;
        set => _rules.MemoryTypes = value is null ? null : value with { CacheDisable = CacheDisable };
    }

    private bool CacheDisable => (_registers.Cr0 & Cr0.CacheDisable) != 0;

    /// <inheritdoc/>
    public override RegisterWriteOutcome MoveToCr0(ulong value, bool longCodeSegment = false)
        => Finish(ControlRegisterWrites.MoveToCr0(in _registers, _features, value, longCodeSegment));

    /// <inheritdoc/>
    public override RegisterWriteOutcome MoveToCr3(ulong value)
    {
        if ((value & _unusualCr3) != 0)
        {
            return Finish(ControlRegisterWrites.MoveToCr3(in _registers, _features, value));
        }

        ulong cr3 = value & ~Cr3.NoInvalidation;
        var process = (ushort)(value & Cr3.ProcessContextMask);
        _registers.Cr3 = cr3;
        Mmu.Source.Cr3 = cr3;
        if (cr3 == value)
        {
            Mmu.SwitchProcess(process, TlbInvalidation.InvpcidContext(_virtualProcessor, process));
        }
        else
        {
            Mmu.SwitchProcess(process);
        }

        if (Mmu.Source.TakeFlush())
        {
            Mmu.FlushTlb();
        }

        return RegisterWriteOutcome.Done;
    }

    /// <inheritdoc/>
    public override RegisterWriteOutcome MoveToCr4(ulong value) => Finish(ControlRegisterWrites.MoveToCr4(in _registers, _features, value));

    /// <inheritdoc/>
    public override RegisterWriteOutcome WriteEfer(ulong value) => Finish(RightsRegisterWrites.WriteEfer(in _registers, _features, value));

    /// <inheritdoc/>
    public override RegisterWriteOutcome WritePkru(ulong value) => Finish(RightsRegisterWrites.WritePkru(in _registers, value));

    /// <inheritdoc/>
    public override RegisterWriteOutcome WritePkrs(ulong value) => Finish(RightsRegisterWrites.WritePkrs(in _registers, _features, value));

    /// <inheritdoc/>
    public override void ChangePrivilege(byte currentPrivilegeLevel, bool alignmentCheck)
    {
        _registers.CurrentPrivilegeLevel = currentPrivilegeLevel;
        _registers.AlignmentCheck = alignmentCheck;
        Mmu.SwitchPrivilege(currentPrivilegeLevel == 3, alignmentCheck);
    }

    /// <inheritdoc/>
    public override void Invlpg(ulong linear)
    {
        if (GuestVirtualAddress.IsCanonical(linear, Mmu.Source.LinearAddressBits))
        {
            Mmu.Invalidate(TlbInvalidation.Invlpg(_virtualProcessor, Mmu.Context.ProcessContext, GuestVirtualAddress.FromValid(linear)));
        }
    }

    /// <inheritdoc/>
    public override RegisterWriteOutcome Invpcid(ulong type, ulong descriptorLow, ulong descriptorHigh)
    {
        bool contexts = (_registers.Cr4 & Cr4.ProcessContextEnable) != 0;
        bool isBad = type > 3
                     || descriptorLow >> 12 != 0
                     || (type < 2 && descriptorLow != 0 && !contexts)
                     || (type == 0 && !GuestVirtualAddress.IsCanonical(descriptorHigh, _features.LinearAddress57 ? 57 : 48));
        if (isBad)
        {
            return RegisterWriteOutcome.GeneralProtection;
        }

        // A call each: to choose among values would build them field by field and copy them whole, which stalls.
        switch (type)
        {
            case 0 when !GuestVirtualAddress.IsCanonical(descriptorHigh, Mmu.Source.LinearAddressBits):
                // The processor has more bits than the mode: nothing is kept of such an address.
                break;
            case 0:
                GuestVirtualAddress address = GuestVirtualAddress.FromValid(descriptorHigh);
                Mmu.Invalidate(TlbInvalidation.InvpcidAddress(_virtualProcessor, (ushort)descriptorLow, address));
                break;
            case 1:
                Mmu.Invalidate(TlbInvalidation.InvpcidContext(_virtualProcessor, (ushort)descriptorLow));
                break;
            case 2:
                Mmu.Invalidate(TlbInvalidation.InvpcidAll(_virtualProcessor));
                break;
            default:
                Mmu.Invalidate(TlbInvalidation.InvpcidAllButGlobals(_virtualProcessor));
                break;
        }

        return RegisterWriteOutcome.Done;
    }

    /// <summary>
    /// VM entry, VM exit or a switch of virtual processors: other registers under another tag. Nothing is forgotten; without VPID the
    /// caller then applies <see cref="TlbInvalidation.VmTransitionWithoutVpid"/> (Intel SDM Vol. 3C §28.4.3.1).
    /// </summary>
    public void Load(in PagingRegisters registers, ushort virtualProcessor, ushort secondStage = 0)
    {
        (_virtualProcessor, _secondStage) = (virtualProcessor, secondStage);
        Commit(in registers);
    }

    /// <summary>Loads the PDPTE registers from CR3, as VM entry to a PAE guest does without EPT; false where they could not be read.</summary>
    public bool TryReloadPdptes()
    {
        bool read = Mmu.Source.TryReadPdptes(_registers.Cr3, out PageDirectoryPointers pointers, out SecondStageFault fault);
        LastStageFault = fault;
        if (read)
        {
            Mmu.Source.Pdptes = pointers;
        }

        return read;
    }

    private RegisterWriteOutcome Finish(RegisterWrite write)
    {
        PageDirectoryPointers pointers = default;
        if (write.LoadsPageDirectoryPointers)
        {
            if (!Mmu.Source.TryReadPdptes(write.Registers.Cr3, out pointers, out SecondStageFault fault))
            {
                LastStageFault = fault;
                return RegisterWriteOutcome.SecondStageFault;
            }

            write = write.WithPointers(in _registers, in pointers, _features);
        }

        if (write.GeneralProtection)
        {
            return RegisterWriteOutcome.GeneralProtection;
        }

        if (write.LoadsPageDirectoryPointers)
        {
            Mmu.Source.Pdptes = pointers;
        }

        PagingRegisters after = write.Registers;

        // What is translated without paging stands in the TLB here as all else does, so it goes where paging begins, too.
        bool pagingBegins = (after.Cr0 & ~_registers.Cr0 & Cr0.Paging) != 0;
        Commit(in after);
        Flush(pagingBegins ? RegisterFlush.Everything : write.Flush, write.ProcessContext);
        return RegisterWriteOutcome.Done;
    }

    private void Commit(in PagingRegisters registers)
    {
        bool policyChanges = (registers.Cr0, registers.Cr4, registers.Efer, registers.Pkru, registers.Pkrs)
                             != (_registers.Cr0, _registers.Cr4, _registers.Efer, _registers.Pkru, _registers.Pkrs);
        _registers = registers;
        _linear = new LinearAddressRules(registers);
        if (policyChanges)
        {
            _rules.Update(in registers);
            Mmu.Source.RegistersChanged(in registers);
            Mmu.PolicyChanged();
            if (_rules.MemoryTypes is { } types && types.CacheDisable != CacheDisable)
            {
                MemoryTypes = types;
            }
        }

        bool isUsual = registers.Mode >= PagingMode.FourLevel && (registers.Cr4 & Cr4.ProcessContextEnable) != 0;
        ulong addressBits = (1UL << _features.PhysicalAddressBits) - 1;
        _unusualCr3 = isUsual && (registers.Cr3 & ~addressBits) == 0 ? ~(addressBits | Cr3.NoInvalidation) : ulong.MaxValue;
        Mmu.Source.Cr3 = registers.Cr3;
        Mmu.SwitchContext(new PagingContext(
            _virtualProcessor, RegisterWrite.ProcessContextOf(registers), registers.CurrentPrivilegeLevel == 3, _secondStage,
            registers.AlignmentCheck));
        if (Mmu.Source.TakeFlush())
        {
            Mmu.FlushTlb();
        }
    }

    private void Flush(RegisterFlush flush, ushort processContext)
    {
        switch (flush)
        {
            case RegisterFlush.NonGlobalOfContext:
                Mmu.Invalidate(TlbInvalidation.InvpcidContext(_virtualProcessor, processContext));
                break;
            case RegisterFlush.AllOfContext or RegisterFlush.Everything:
                Mmu.Invalidate(TlbInvalidation.InvpcidAll(_virtualProcessor));
                break;
        }
    }
}
