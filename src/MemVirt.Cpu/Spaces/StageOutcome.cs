namespace MemVirt.Cpu.Spaces;

/// <summary>What became of an access that the second stage, or shadow paging, did not let pass.</summary>
internal enum StageOutcome : byte
{
    /// <summary>It is mapped now: the access is made again.</summary>
    Retry,

    /// <summary>There is no RAM: the access is a device's.</summary>
    Device,

    /// <summary>The store is made by the VMM, to RAM: a guest's page table that is shadowed.</summary>
    EmulateStore,

    /// <summary>Nothing can be done: the guest cannot go on.</summary>
    Failed,
}
