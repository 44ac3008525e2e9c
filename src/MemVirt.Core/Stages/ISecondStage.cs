using MemVirt.Core.Access;
using MemVirt.Core.Faults;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Stages;

/// <summary>From guest-physical to host-physical addresses. As a table locator it serves the guest's walk.</summary>
public interface ISecondStage : ITableLocator
{
    /// <summary>Why the last translation failed.</summary>
    TranslationStatus FaultStatus { get; }

    /// <summary>The guest-physical address whose translation failed last.</summary>
    ulong FaultAddress { get; }

    /// <summary>Whether the dirty bit of the leaf last used is set, or none is kept: a store to its page changes no entry.</summary>
    bool LeafDirty { get; }

    /// <summary>Translates a guest-physical address and, for a write, sets the leaf's dirty bit; false where it faults.</summary>
    /// <param name="gpa">The address.</param>
    /// <param name="needed">The rights the access needs.</param>
    /// <param name="hpa">The host-physical address.</param>
    /// <param name="leafLevel">The level of the leaf that maps it.</param>
    /// <param name="rights">The rights granted.</param>
    bool TryTranslate(ulong gpa, AccessRights needed, out ulong hpa, out int leafLevel, out AccessRights rights);

    /// <summary>Forgets every cached translation of the stage: INVEPT, a flush of the ASID.</summary>
    void Invalidate();
}
