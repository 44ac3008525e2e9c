using MemVirt.Core.Memory;

namespace MemVirt.Core.Stages;

/// <summary>
/// The EPTP list of VM function 0, EPTP switching (Intel SDM Vol. 3C §25.5.6.3): a 4 KiB page of 512 pointers among which a guest
/// chooses without a VM exit.
/// </summary>
/// <param name="memory">Host memory.</param>
/// <param name="address">The host-physical address of the list, aligned to 4 KiB.</param>
/// <param name="physicalAddressBits">MAXPHYADDR.</param>
/// <param name="fiveLevels">Whether EPT of five levels is supported.</param>
public readonly struct EptPointerList(SparseMemory memory, ulong address, int physicalAddressBits = 52, bool fiveLevels = true)
{
    /// <summary>Pointers of the list.</summary>
    public const int Count = 512;

    /// <summary>The pointer at an index; false, which is a VM exit, where the index is out of range or the pointer is not valid.</summary>
    /// <param name="index">ECX of VMFUNC.</param>
    /// <param name="pointer">The new EPTP.</param>
    public bool TrySelect(uint index, out EptPointer pointer)
    {
        pointer = index < Count ? new EptPointer(memory.Read(address + (index * 8UL))) : default;
        return index < Count && pointer.IsValid(physicalAddressBits, fiveLevels);
    }
}
