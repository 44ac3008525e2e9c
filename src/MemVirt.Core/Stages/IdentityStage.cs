using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.MemoryTypes;

namespace MemVirt.Core.Stages;

/// <summary>No virtualization: guest-physical is host-physical, in pages as large as any.</summary>
public readonly struct IdentityStage : ISecondStage
{
    /// <inheritdoc/>
    public static bool MayFail => false;

    /// <inheritdoc/>
    public SecondStageFault Fault => default;

    /// <inheritdoc/>
    public bool LeafDirty => true;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Locate(ulong entryAddress, out bool isWritable)
    {
        isWritable = true;
        return entryAddress;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Translate(ulong gpa, AccessRights needed, out int leafLevel, out AccessRights rights)
    {
        leafLevel = 2;
        rights = AccessRights.Unrestricted;
        return gpa;
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
