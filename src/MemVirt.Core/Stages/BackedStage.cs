using MemVirt.Core.Access;
using MemVirt.Core.Faults;
using MemVirt.Core.Memory;
using MemVirt.Core.MemoryTypes;
using MemVirt.Core.Shadow;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Stages;

/// <summary>
/// A second stage without tables: what backs a guest's memory is looked up, and backed where it is not. A VMM that shadows a guest's
/// tables translates so while the guest does not page. Faults are those of a second stage where devices are.
/// </summary>
/// <param name="guest">The guest's memory.</param>
/// <param name="hasDevice">Where there are devices, and no memory; null for nowhere.</param>
public struct BackedStage(GuestMemory guest, MmioQuery? hasDevice) : ISecondStage
{
    private const ulong PageMask = 0xFFF;
    private const ulong PageBytes = 4096;

    /// <inheritdoc/>
    public SecondStageFault Fault { readonly get; private set; }

    /// <inheritdoc/>
    public readonly bool LeafDirty => true;

    /// <inheritdoc/>
    public ulong Locate(ulong entryAddress, out bool isWritable)
    {
        isWritable = true;
        return Translate(entryAddress, AccessRights.Read, out _, out _);
    }

    /// <inheritdoc/>
    public ulong Translate(ulong gpa, AccessRights needed, out int leafLevel, out AccessRights rights)
    {
        leafLevel = 0;
        rights = AccessRights.Unrestricted;
        if (gpa >= guest.LimitBytes || hasDevice?.Invoke(gpa & ~PageMask, PageBytes) == true)
        {
            rights = AccessRights.None;
            Fault = new SecondStageFault(TranslationStatus.SecondStageNotPresent, gpa, Code: 0, IsConvertible: false);
            return ITableLocator.Unreachable;
        }

        return guest.Resolve(gpa);
    }

    /// <inheritdoc/>
    public readonly void FailTableWrite(ulong entryAddress)
    {
        // Every table is writable.
    }

    /// <inheritdoc/>
    public readonly ulong DescribeLinearAddress(AccessRights guestRights, AccessRights needed) => 0;

    /// <inheritdoc/>
    public readonly MemoryType MemoryTypeOf(MemoryTypeRules types, MemoryType page, ulong hpa)
        => EffectiveMemoryType.Of(types.Vendor, page, types.Mtrrs.TypeOf(hpa), types.CacheDisable);

    /// <inheritdoc/>
    public readonly void Invalidate()
    {
        // Nothing is cached.
    }
}
