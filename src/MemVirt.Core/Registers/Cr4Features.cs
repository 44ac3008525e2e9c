namespace MemVirt.Core.Registers;

/// <summary>Which bits of CR4 a processor has, and what a change of them makes it forget.</summary>
public static class Cr4Features
{
    /// <summary>The bits that may be 1; every other one is reserved (Intel SDM Vol. 3A §2.5).</summary>
    public static ulong KnownBits(ProcessorFeatures features)
        => features.OtherCr4Bits
           | If(features.PageSizeExtensions, Cr4.PageSizeExtensions)
           | If(features.PhysicalAddressExtension, Cr4.PhysicalAddressExtension)
           | If(features.PageGlobal, Cr4.PageGlobalEnable)
           | If(features.LinearAddress57, Cr4.LinearAddress57)
           | If(features.ProcessContexts, Cr4.ProcessContextEnable)
           | If(features.SupervisorExecutionPrevention, Cr4.SupervisorExecutionPrevention)
           | If(features.SupervisorAccessPrevention, Cr4.SupervisorAccessPrevention)
           | If(features.ProtectionKeysUser, Cr4.ProtectionKeysUser)
           | If(features.ControlFlowEnforcement, Cr4.ControlFlowEnforcement)
           | If(features.ProtectionKeysSupervisor, Cr4.ProtectionKeysSupervisor)
           | If(features.LinearAddressMasking, Cr4.LinearAddressMaskingSupervisor);

    /// <summary>
    /// What MOV to CR4 must forget. Intel SDM Vol. 3A §4.10.4.1: PGE changed or PCIDE cleared, everything; PAE changed or SMEP
    /// set, the current PCID. AMD APM Vol. 2 §5.5.3: PAE, PSE or PGE changed, or PCIDE cleared, or SMEP or PKE set, everything.
    /// </summary>
    public static RegisterFlush FlushOf(ulong before, ulong after, ProcessorVendor vendor)
    {
        ulong changed = before ^ after;
        ulong set = changed & after;
        ulong cleared = changed & before;
        bool everything = (changed & Cr4.PageGlobalEnable) != 0 || (cleared & Cr4.ProcessContextEnable) != 0;
        bool context = (changed & Cr4.PhysicalAddressExtension) != 0 || (set & Cr4.SupervisorExecutionPrevention) != 0;
        if (vendor == ProcessorVendor.Amd)
        {
            everything |= context || (changed & Cr4.PageSizeExtensions) != 0 || (set & Cr4.ProtectionKeysUser) != 0;
        }

        return everything ? RegisterFlush.Everything : context ? RegisterFlush.AllOfContext : RegisterFlush.None;
    }

    private static ulong If(bool present, ulong bit) => present ? bit : 0;
}
