namespace MemVirt.Core.Registers;

/// <summary>
/// MOV to CR0, CR3 and CR4 (Intel SDM Vol. 2 "MOV—Move to/from Control Registers", Vol. 3A §2.5, §4.1, §4.10.4.1). Privilege is
/// the executing processor's to check; outside 64-bit mode an operand has 32 bits. No call allocates.
/// </summary>
public static class ControlRegisterWrites
{
    // PE, MP, EM, TS, ET, NE, WP, AM, NW, CD, PG. A 1 in any other of the low 32 bits is dropped without a word.
    private const ulong Cr0Known = 0xE005_003F;
    private const ulong Cr0ExtensionType = 1UL << 4;

    /// <summary>
    /// MOV to CR0. #GP: bits 63:32; PG without PE; NW without CD; WP clear with CR4.CET; PG clear with CR4.PCIDE or in 64-bit
    /// mode; PG set with EFER.LME but without CR4.PAE, or from a code segment with L set.
    /// </summary>
    /// <param name="registers">The registers as they are.</param>
    /// <param name="features">The processor's.</param>
    /// <param name="value">The operand.</param>
    /// <param name="longCodeSegment">CS.L.</param>
    public static RegisterWrite MoveToCr0(
        in PagingRegisters registers, ProcessorFeatures features, ulong value, bool longCodeSegment = false)
    {
        bool paging = (value & Cr0.Paging) != 0;
        bool wasPaging = (registers.Cr0 & Cr0.Paging) != 0;
        if (IsBadCr0(value, registers.Cr4)
            || (!paging && wasPaging && !MayStopPaging(registers, longCodeSegment))
            || (paging && !wasPaging && !MayStartPaging(registers, longCodeSegment)))
        {
            return RegisterWrite.Refused(registers);
        }

        PagingRegisters after = registers;
        after.Cr0 = (value & Cr0Known) | Cr0ExtensionType;
        bool longMode = paging && (registers.Efer & Efer.LongModeEnable) != 0;
        after.Efer = longMode ? registers.Efer | Efer.LongModeActive : registers.Efer & ~Efer.LongModeActive;

        bool flushes = wasPaging != paging && (wasPaging || features.Vendor == ProcessorVendor.Amd);
        return RegisterWrite.Done(after, flushes ? RegisterFlush.Everything : RegisterFlush.None, LoadsByCr0(registers, after));
    }

    /// <summary>
    /// MOV to CR3. #GP: a 1 in bits from MAXPHYADDR up, but for bit 63 with CR4.PCIDE and for bits 62:61 with LAM. The low bits
    /// that paging ignores are kept. Forgets the non-global translations of the PCID loaded, unless bit 63 says not to.
    /// </summary>
    public static RegisterWrite MoveToCr3(in PagingRegisters registers, ProcessorFeatures features, ulong value)
    {
        PagingRegisters after = registers;
        if ((registers.Efer & Efer.LongModeActive) == 0)
        {
            after.Cr3 = (uint)value;
            return RegisterWrite.Done(after, RegisterFlush.NonGlobalOfContext, registers.Mode == PagingMode.Pae);
        }

        bool contexts = (registers.Cr4 & Cr4.ProcessContextEnable) != 0;
        if ((value & Cr3Reserved(features, contexts)) != 0)
        {
            return RegisterWrite.Refused(registers);
        }

        // Without CR4.PCIDE bit 63 is reserved, so that what is set here asks for no invalidation.
        bool keep = (value & Cr3.NoInvalidation) != 0;
        after.Cr3 = value & ~Cr3.NoInvalidation;
        return RegisterWrite.Done(after, keep ? RegisterFlush.None : RegisterFlush.NonGlobalOfContext);
    }

    /// <summary>
    /// MOV to CR4. #GP: a bit that the processor lacks; in long mode PAE cleared or LA57 changed; PCIDE set outside long mode or
    /// with CR3[11:0] not 0; CET with CR0.WP clear.
    /// </summary>
    public static RegisterWrite MoveToCr4(in PagingRegisters registers, ProcessorFeatures features, ulong value)
    {
        ulong set = value & ~registers.Cr4;
        bool longMode = (registers.Efer & Efer.LongModeActive) != 0;
        bool bad = (value & ~Cr4Features.KnownBits(features)) != 0
            || (longMode && (value & Cr4.PhysicalAddressExtension) == 0)
            || (longMode && ((value ^ registers.Cr4) & Cr4.LinearAddress57) != 0)
            || ((set & Cr4.ProcessContextEnable) != 0 && (!longMode || (registers.Cr3 & Cr3.ProcessContextMask) != 0))
            || ((value & Cr4.ControlFlowEnforcement) != 0 && (registers.Cr0 & Cr0.WriteProtect) == 0);
        if (bad)
        {
            return RegisterWrite.Refused(registers);
        }

        PagingRegisters after = registers;
        after.Cr4 = value;
        return RegisterWrite.Done(after, Cr4Features.FlushOf(registers.Cr4, value, features.Vendor), LoadsByCr4(registers, after));
    }

    private static bool IsBadCr0(ulong value, ulong cr4)
        => value >> 32 != 0
           || (value & (Cr0.Paging | Cr0.ProtectionEnable)) == Cr0.Paging
           || (value & (Cr0.NotWriteThrough | Cr0.CacheDisable)) == Cr0.NotWriteThrough
           || ((value & Cr0.WriteProtect) == 0 && (cr4 & Cr4.ControlFlowEnforcement) != 0);

    private static bool MayStopPaging(in PagingRegisters registers, bool longCodeSegment)
        => (registers.Cr4 & Cr4.ProcessContextEnable) == 0
           && !(longCodeSegment && (registers.Efer & Efer.LongModeActive) != 0);

    private static bool MayStartPaging(in PagingRegisters registers, bool longCodeSegment)
        => (registers.Efer & Efer.LongModeEnable) == 0
           || ((registers.Cr4 & Cr4.PhysicalAddressExtension) != 0 && !longCodeSegment);

    private static ulong Cr3Reserved(ProcessorFeatures features, bool contexts)
    {
        ulong reserved = ulong.MaxValue << features.PhysicalAddressBits;
        if (features.LinearAddressMasking)
        {
            reserved &= ~(Cr3.LinearAddressMaskingUser57 | Cr3.LinearAddressMaskingUser48);
        }

        return contexts ? reserved & ~Cr3.NoInvalidation : reserved;
    }

    // Intel SDM Vol. 3A §4.4.1: with PAE paging in use after it, a change of CD, NW or PG loads the PDPTE registers.
    private static bool LoadsByCr0(in PagingRegisters before, in PagingRegisters after)
        => after.Mode == PagingMode.Pae
           && ((before.Cr0 ^ after.Cr0) & (Cr0.CacheDisable | Cr0.NotWriteThrough | Cr0.Paging)) != 0;

    // The same for a change of PAE, PGE, PSE or SMEP.
    private static bool LoadsByCr4(in PagingRegisters before, in PagingRegisters after)
        => after.Mode == PagingMode.Pae
           && ((before.Cr4 ^ after.Cr4) & (Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable | Cr4.PageSizeExtensions
               | Cr4.SupervisorExecutionPrevention)) != 0;
}
