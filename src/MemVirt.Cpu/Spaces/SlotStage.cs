using MemVirt.Core.Access;
using MemVirt.Core.Faults;
using MemVirt.Core.MemoryTypes;
using MemVirt.Core.Slots;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Cpu.Spaces;

/// <summary>
/// A second stage without tables, for walks whose access is a device's: the guest's tables are found by the slots, and the access itself
/// always completes, as what it reaches is no matter of translation.
/// </summary>
/// <param name="slots">The guest's memory.</param>
internal struct SlotStage(MemorySlots slots) : ISecondStage
{
    public SecondStageFault Fault { readonly get; private set; }

    public readonly bool LeafDirty => true;

    public ulong Locate(ulong entryAddress, out bool isWritable)
    {
        isWritable = true;
        if (slots.TryFind(entryAddress, out MemorySlot? slot))
        {
            return slot.BackingOf(entryAddress);
        }

        Fault = new SecondStageFault(TranslationStatus.SecondStageNotPresent, entryAddress, Code: 0, IsConvertible: false);
        return ITableLocator.Unreachable;
    }

    public readonly ulong Translate(ulong gpa, AccessRights needed, out int leafLevel, out AccessRights rights)
    {
        leafLevel = 0;
        rights = AccessRights.Unrestricted;
        return gpa;
    }

    public readonly void FailTableWrite(ulong entryAddress)
    {
        // Every table is writable.
    }

    public readonly ulong DescribeLinearAddress(AccessRights guestRights, AccessRights needed) => 0;

    public readonly MemoryType MemoryTypeOf(MemoryTypeRules types, MemoryType page, ulong hpa) => MemoryType.Uncacheable;

    public readonly void Invalidate()
    {
        // Nothing is cached.
    }
}
