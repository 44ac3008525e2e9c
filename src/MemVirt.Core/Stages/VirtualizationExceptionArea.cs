using MemVirt.Core.Memory;
using MemVirt.Core.Sources;

namespace MemVirt.Core.Stages;

/// <summary>
/// The virtualization-exception information area (Intel SDM Vol. 3C §25.5.7.2): where the processor describes an EPT violation that
/// it delivers to the guest as #VE instead of a VM exit.
/// </summary>
/// <param name="memory">Host memory; the frame exists.</param>
/// <param name="address">The host-physical address of the area, aligned to 4 KiB.</param>
public readonly struct VirtualizationExceptionArea(SparseMemory memory, ulong address)
{
    private const ulong ExitReasonEptViolation = 48;
    private const ulong Busy = 0xFFFF_FFFFUL << 32;

    /// <summary>
    /// Records a violation, and marks the area busy; false where the violation is a VM exit after all: it is not convertible
    /// (§25.5.7.1), the area is busy, paging protection is off, or another event is being delivered.
    /// </summary>
    /// <param name="fault">The EPT violation.</param>
    /// <param name="linearAddress">The guest-linear address.</param>
    /// <param name="eptPointerIndex">The current EPTP's index in the EPTP list.</param>
    /// <param name="protectionEnabled">CR0.PE.</param>
    /// <param name="deliversEvent">Whether the access is part of the delivery of an event.</param>
    public bool TryRecord(
        in Translation fault, ulong linearAddress, ushort eptPointerIndex, bool protectionEnabled = true, bool deliversEvent = false)
    {
        if (!fault.IsConvertible || !protectionEnabled || deliversEvent || memory.Read(address) >> 32 != 0)
        {
            return false;
        }

        memory.Write(address, ExitReasonEptViolation | Busy);
        memory.Write(address + 8, fault.FaultCode);
        memory.Write(address + 16, linearAddress);
        memory.Write(address + 24, fault.GuestPhysical);
        memory.Write(address + 32, (memory.Read(address + 32) & ~0xFFFFUL) | eptPointerIndex);
        return true;
    }
}
