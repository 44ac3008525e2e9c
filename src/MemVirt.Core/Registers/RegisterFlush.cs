namespace MemVirt.Core.Registers;

/// <summary>
/// What a write of a register makes the processor forget (Intel SDM Vol. 3A §4.10.4.1; AMD APM Vol. 2 §5.5.3). Each value covers
/// all that the values before it do, so the greater of two covers both; to forget more than is asked is always allowed.
/// Entries of paging-structure caches go with the translations of the same PCID.
/// </summary>
public enum RegisterFlush : byte
{
    /// <summary>Nothing: CR3 with bit 63 of the operand set; rights that are looked at on each access.</summary>
    None,

    /// <summary>
    /// Translations of <see cref="RegisterWrite.ProcessContext"/>, but for global ones: MOV to CR3 (§4.10.4.1; with CR4.PCIDE
    /// clear the PCID is 0).
    /// </summary>
    NonGlobalOfContext,

    /// <summary>
    /// Translations of <see cref="RegisterWrite.ProcessContext"/> and global ones: MOV to CR4 that changes PAE or sets SMEP
    /// (§4.10.4.1, "all TLB entries ... for the current PCID").
    /// </summary>
    AllOfContext,

    /// <summary>
    /// Translations of every PCID, global ones included: CR0.PG cleared, CR4.PGE changed, CR4.PCIDE cleared (§4.10.4.1); on AMD
    /// any change of CR0.PG, CR4.PAE, PSE or PGE too (APM §5.5.3).
    /// </summary>
    Everything,
}
