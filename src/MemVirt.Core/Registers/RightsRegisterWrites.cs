namespace MemVirt.Core.Registers;

/// <summary>
/// Writes of the registers that decide rights but never make a processor forget a translation: IA32_EFER, PKRU, IA32_PKRS, CPL
/// and EFLAGS.AC. A TLB that folds rights into its entries must look at the registers themselves. No call allocates.
/// </summary>
public static class RightsRegisterWrites
{
    /// <summary>
    /// WRMSR to IA32_EFER (Intel SDM Vol. 3A §2.2.1, §4.1.1; AMD APM Vol. 2 §3.1.7). #GP: a bit that the processor lacks; LME
    /// changed while CR0.PG is set; on AMD an LMA other than the present one, which Intel ignores.
    /// </summary>
    public static RegisterWrite WriteEfer(in PagingRegisters registers, ProcessorFeatures features, ulong value)
    {
        ulong known = features.OtherEferBits | Efer.LongModeActive
            | (features.LongMode ? Efer.LongModeEnable : 0)
            | (features.NoExecute ? Efer.NoExecuteEnable : 0);
        ulong changed = registers.Efer ^ value;
        if ((value & ~known) != 0
            || ((changed & Efer.LongModeEnable) != 0 && (registers.Cr0 & Cr0.Paging) != 0)
            || ((changed & Efer.LongModeActive) != 0 && features.Vendor == ProcessorVendor.Amd))
        {
            return RegisterWrite.Refused(registers);
        }

        PagingRegisters after = registers;
        after.Efer = (value & ~Efer.LongModeActive) | (registers.Efer & Efer.LongModeActive);
        return RegisterWrite.Done(after);
    }

    /// <summary>
    /// WRPKRU (Intel SDM Vol. 2 "WRPKRU", Vol. 3A §4.6.2). #GP: bits 63:32, which come from EDX. With CR4.PKE clear the
    /// instruction is #UD, which is the executing processor's to see.
    /// </summary>
    /// <param name="registers">The registers as they are.</param>
    /// <param name="value">EDX:EAX.</param>
    public static RegisterWrite WritePkru(in PagingRegisters registers, ulong value)
    {
        if (value >> 32 != 0)
        {
            return RegisterWrite.Refused(registers);
        }

        PagingRegisters after = registers;
        after.Pkru = (uint)value;
        return RegisterWrite.Done(after);
    }

    /// <summary>WRMSR to IA32_PKRS (Intel SDM Vol. 3A §4.6.2). #GP: bits 63:32; a processor without PKS.</summary>
    public static RegisterWrite WritePkrs(in PagingRegisters registers, ProcessorFeatures features, ulong value)
    {
        if (value >> 32 != 0 || !features.ProtectionKeysSupervisor)
        {
            return RegisterWrite.Refused(registers);
        }

        PagingRegisters after = registers;
        after.Pkrs = (uint)value;
        return RegisterWrite.Done(after);
    }

    /// <summary>A change of CPL or EFLAGS.AC (Intel SDM Vol. 3A §4.6.1): never refused, nothing forgotten.</summary>
    /// <param name="registers">The registers as they are.</param>
    /// <param name="currentPrivilegeLevel">CPL, 0 to 3.</param>
    /// <param name="alignmentCheck">EFLAGS.AC.</param>
    public static RegisterWrite ChangePrivilege(in PagingRegisters registers, byte currentPrivilegeLevel, bool alignmentCheck)
    {
        System.Diagnostics.Debug.Assert(currentPrivilegeLevel <= 3, "CPL has 2 bits.");
        PagingRegisters after = registers;
        after.CurrentPrivilegeLevel = currentPrivilegeLevel;
        after.AlignmentCheck = alignmentCheck;
        return RegisterWrite.Done(after);
    }
}
