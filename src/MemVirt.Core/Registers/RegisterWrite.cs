namespace MemVirt.Core.Registers;

/// <summary>How a write of a register ended: refused with #GP, or the registers afterwards and what must be forgotten.</summary>
public readonly record struct RegisterWrite
{
    private RegisterWrite(in PagingRegisters registers) => Registers = registers;

    /// <summary>Whether it is refused with #GP(0); then <see cref="Registers"/> are as before and nothing is forgotten.</summary>
    public bool GeneralProtection { get; private init; }

    /// <summary>The registers after the write.</summary>
    public PagingRegisters Registers { get; private init; }

    /// <summary>What must be forgotten.</summary>
    public RegisterFlush Flush { get; private init; }

    /// <summary>The PCID that <see cref="Flush"/> speaks of: 0 without CR4.PCIDE (Intel SDM Vol. 3A §4.10.1).</summary>
    public ushort ProcessContext => ProcessContextOf(Registers);

    /// <summary>
    /// Whether the write also loads the four PDPTE registers of PAE paging (Intel SDM Vol. 3A §4.4.1). The caller then reads 32
    /// bytes at <see cref="PageDirectoryPointers.TableAddress"/> of the new CR3 and asks <see cref="WithPointers"/> for the
    /// final result before it commits anything.
    /// </summary>
    public bool LoadsPageDirectoryPointers { get; private init; }

    /// <summary>The PCID in force: CR3[11:0] with CR4.PCIDE, else 0 (Intel SDM Vol. 3A §4.10.1).</summary>
    public static ushort ProcessContextOf(in PagingRegisters registers)
        => (registers.Cr4 & Cr4.ProcessContextEnable) == 0 ? (ushort)0 : (ushort)(registers.Cr3 & Cr3.ProcessContextMask);

    /// <summary>
    /// This write once the entries to be loaded are known: #GP where a present one has a reserved bit, and then nothing has
    /// changed (Intel SDM Vol. 3A §4.4.1).
    /// </summary>
    /// <param name="before">The registers before the write.</param>
    /// <param name="pointers">What was read at the new CR3.</param>
    /// <param name="features">Decides the reserved bits.</param>
    public RegisterWrite WithPointers(in PagingRegisters before, in PageDirectoryPointers pointers, ProcessorFeatures features)
        => LoadsPageDirectoryPointers && pointers.HasReservedBits(features) ? Refused(before) : this;

    internal static RegisterWrite Refused(in PagingRegisters registers) => new(registers) { GeneralProtection = true };

    internal static RegisterWrite Done(
        in PagingRegisters registers, RegisterFlush flush = RegisterFlush.None, bool loadsPointers = false)
        => new(registers) { Flush = flush, LoadsPageDirectoryPointers = loadsPointers };
}
