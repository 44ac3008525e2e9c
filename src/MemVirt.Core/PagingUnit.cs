using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;

namespace MemVirt.Core;

/// <summary>
/// The paging side of one logical processor as its instructions see it, whatever translates behind: <see cref="PagingUnit{TSource}"/>
/// is the one there is. Serves one thread; no call allocates.
/// </summary>
public abstract class PagingUnit
{
    private protected PagingRegisters _registers;
    private protected LinearAddressRules _linear;
    private readonly Mmu _mmu;

    private protected PagingUnit(Mmu mmu) => _mmu = mmu;

    /// <summary>The MMU.</summary>
    public Mmu Mmu => _mmu;

    /// <summary>The registers.</summary>
    public ref readonly PagingRegisters Registers => ref _registers;

    /// <summary>The PDPTE registers of PAE paging (Intel SDM Vol. 3A §4.4.1); of no meaning in other modes.</summary>
    public abstract PageDirectoryPointers PageDirectoryPointers { get; }

    /// <summary>How a pointer becomes a linear address under the registers as they are.</summary>
    public ref readonly LinearAddressRules Linear => ref _linear;

    /// <summary>
    /// Translates a pointer: linear-address masking, the canonical check, then <see cref="Mmu"/>. Details of a
    /// fault come from <see cref="Explain"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // stands before each hit: bench MmuBenchmarks
    public TranslationStatus Translate(ulong pointer, MemoryAccess access, out HostPhysicalAddress hpa)
    {
        if (!_linear.TryCanonicalize(pointer, access != MemoryAccess.Fetch, out ulong linear))
        {
            hpa = default;
            return TranslationStatus.NotCanonical;
        }

        return _mmu.Translate(GuestVirtualAddress.FromValid(linear), access, out hpa);
    }

    /// <summary>Translates with all there is to say: the fault's code, the guest-physical address, rights, memory type.</summary>
    /// <param name="pointer">The pointer.</param>
    /// <param name="access">Read, write or fetch.</param>
    /// <param name="linear">The linear address, as CR2 has it after a page fault.</param>
    public Translation Explain(ulong pointer, MemoryAccess access, out ulong linear)
        => _linear.TryCanonicalize(pointer, access != MemoryAccess.Fetch, out linear)
            ? _mmu.TranslateBeyondFront(GuestVirtualAddress.FromValid(linear), access)
            : Translation.Fault(TranslationStatus.NotCanonical);

    /// <summary>Translates an implicit supervisor access or one of the shadow stack; see <see cref="Mmu.TranslateAs"/>.</summary>
    public Translation TranslateAs(ulong pointer, AccessRights needed, out ulong linear)
        => _linear.TryCanonicalize(pointer, (needed & AccessRights.Execute) == 0, out linear)
            ? _mmu.TranslateAs(GuestVirtualAddress.FromValid(linear), needed)
            : Translation.Fault(TranslationStatus.NotCanonical);

    /// <summary>MOV to CR0 (Intel SDM Vol. 2, Vol. 3A §2.5).</summary>
    public abstract RegisterWriteOutcome MoveToCr0(ulong value, bool longCodeSegment = false);

    /// <summary>MOV to CR3, with bit 63 where CR4.PCIDE is set (Intel SDM Vol. 3A §4.10.4.1).</summary>
    public abstract RegisterWriteOutcome MoveToCr3(ulong value);

    /// <summary>MOV to CR4.</summary>
    public abstract RegisterWriteOutcome MoveToCr4(ulong value);

    /// <summary>WRMSR to IA32_EFER.</summary>
    public abstract RegisterWriteOutcome WriteEfer(ulong value);

    /// <summary>WRPKRU, XRSTOR of PKRU.</summary>
    public abstract RegisterWriteOutcome WritePkru(ulong value);

    /// <summary>WRMSR to IA32_PKRS.</summary>
    public abstract RegisterWriteOutcome WritePkrs(ulong value);

    /// <summary>A change of CPL or EFLAGS.AC. Cost: a few instructions.</summary>
    public abstract void ChangePrivilege(byte currentPrivilegeLevel, bool alignmentCheck);

    /// <summary>INVLPG; an address that is not canonical does nothing (Intel SDM Vol. 2).</summary>
    public abstract void Invlpg(ulong linear);

    /// <summary>
    /// INVPCID (Intel SDM Vol. 2): #GP for a type above 3, a reserved bit of the descriptor, PCID other than 0 without CR4.PCIDE for
    /// types 0 and 1, or a linear address of type 0 that is not canonical.
    /// </summary>
    /// <param name="type">0 to 3.</param>
    /// <param name="descriptorLow">Bits 63:0 of the descriptor: the PCID in bits 11:0, the rest reserved.</param>
    /// <param name="descriptorHigh">Bits 127:64: the linear address.</param>
    public abstract RegisterWriteOutcome Invpcid(ulong type, ulong descriptorLow, ulong descriptorHigh);
}
