using MemVirt.Core.Access;
using MemVirt.Core.MemoryTypes;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Stages;

/// <summary>From guest-physical to host-physical addresses. As a table locator it serves the guest's walk.</summary>
public interface ISecondStage : ITableLocator
{
    /// <summary>Why the last translation failed.</summary>
    SecondStageFault Fault { get; }

    /// <summary>
    /// Whether the dirty flag of the leaf last used is set, or none is kept, and nothing watches its page: a store there changes no entry.
    /// </summary>
    bool LeafDirty { get; }

    /// <summary>
    /// Translates the guest-physical address of an access and, for a write, sets the leaf's dirty flag. Returns the host-physical
    /// address, or <see cref="ITableLocator.Unreachable"/> where it faults.
    /// </summary>
    /// <param name="gpa">The address.</param>
    /// <param name="needed">
    /// What the access needs: one of read, write and execute; with <see cref="AccessRights.User"/> at CPL 3, with
    /// <see cref="AccessRights.UserExecute"/> at a user-mode linear address.
    /// </param>
    /// <param name="leafLevel">The level of the leaf that maps it.</param>
    /// <param name="rights">The rights granted; execute for fetches below CPL 3, user-execute for those at CPL 3.</param>
    ulong Translate(ulong gpa, AccessRights needed, out int leafLevel, out AccessRights rights);

    /// <summary>Reports that a flag of the guest's entry must be set where this stage forbids writes.</summary>
    void FailTableWrite(ulong entryAddress);

    /// <summary>What a final access's fault code says besides, by the guest's rights to the linear address and the kind of access.</summary>
    ulong DescribeLinearAddress(AccessRights guestRights, AccessRights needed);

    /// <summary>The effective memory type of the access translated last.</summary>
    /// <param name="types">PATs, MTRRs and CR0.CD.</param>
    /// <param name="page">What the guest's leaf chooses from the PAT; write-back without paging.</param>
    /// <param name="hpa">The host-physical address.</param>
    MemoryType MemoryTypeOf(MemoryTypeRules types, MemoryType page, ulong hpa);

    /// <summary>Forgets every cached translation of the stage: INVEPT, a flush of the ASID.</summary>
    void Invalidate();
}
