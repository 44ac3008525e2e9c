using MemVirt.Core.Registers;
using MemVirt.Core.Stages;

namespace MemVirt.Core.Sources;

/// <summary>A source that follows the registers of a full virtual processor, in whatever paging mode they choose.</summary>
public interface IPagingSource : ITranslationSource
{
    /// <summary>CR3 as MOV from CR3 reads it. A change forgets nothing.</summary>
    ulong Cr3 { get; set; }

    /// <summary>The four PDPTE registers of PAE paging (Intel SDM Vol. 3A §4.4.1).</summary>
    PageDirectoryPointers Pdptes { get; set; }

    /// <summary>
    /// Reads the four PDPTEs that a CR3 names, as MOV to CR3 does in PAE paging; false where the second stage faults. That fault has
    /// no linear address: bits 7 and 8 of an exit qualification are clear (Intel SDM Vol. 3C table 27-7).
    /// </summary>
    bool TryReadPdptes(ulong cr3, out PageDirectoryPointers pointers, out SecondStageFault fault);

    /// <summary>CR0, CR4 or EFER have changed, and what the guest's rules make of them: called before anything is translated by them.</summary>
    void RegistersChanged(in PagingRegisters registers);

    /// <summary>Whether a change of registers asks for everything to be forgotten beyond what the guest asked for; the answer is given once.</summary>
    bool TakeFlush();
}
