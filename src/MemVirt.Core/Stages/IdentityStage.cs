using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.MemoryTypes;

namespace MemVirt.Core.Stages;

/// <summary>No virtualization: guest-physical is host-physical, in pages as large as any.</summary>
public readonly struct IdentityStage : ISecondStage
{
    /// <inheritdoc/>
    public SecondStageFault Fault => default;

    /// <inheritdoc/>
    public bool LeafDirty => true;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryLocate(ulong entryAddress, out ulong hostEntry, out bool isWritable)
    {
        hostEntry = entryAddress;
        isWritable = true;
        return true;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTranslate(ulong gpa, AccessRights needed, out ulong hpa, out int leafLevel, out AccessRights rights)
    {
        hpa = gpa;
        leafLevel = 2;
        rights = AccessRights.Unrestricted;
        return true;
    }

    /// <inheritdoc/>
    public void FailTableWrite(ulong entryAddress)
    {
        // Every table is writable.
    }

    /// <inheritdoc/>
    public ulong DescribeLinearAddress(AccessRights guestRights, AccessRights needed) => 0;

    /// <inheritdoc/>
    public MemoryType MemoryTypeOf(MemoryTypeRules types, MemoryType page, ulong hpa)
        => EffectiveMemoryType.Of(types.Vendor, page, types.Mtrrs.TypeOf(hpa), types.CacheDisable);

    /// <inheritdoc/>
    public void Invalidate()
    {
        // Nothing is cached.
    }
}
