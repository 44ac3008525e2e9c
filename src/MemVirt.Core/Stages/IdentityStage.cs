using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Faults;

namespace MemVirt.Core.Stages;

/// <summary>No virtualization: guest-physical is host-physical, in pages as large as any.</summary>
public readonly struct IdentityStage : ISecondStage
{
    /// <inheritdoc/>
    public TranslationStatus FaultStatus => TranslationStatus.Ok;

    /// <inheritdoc/>
    public ulong FaultAddress => 0;

    /// <inheritdoc/>
    public bool LeafDirty => true;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryLocate(ulong tableAddress, out ulong hostTable)
    {
        hostTable = tableAddress;
        return true;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTranslate(ulong gpa, AccessRights needed, out ulong hpa, out int leafLevel, out AccessRights rights)
    {
        hpa = gpa;
        leafLevel = 2;
        rights = AccessRights.All;
        return true;
    }

    /// <inheritdoc/>
    public void Invalidate()
    {
        // Nothing is cached.
    }
}
