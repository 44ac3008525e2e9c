namespace MemVirt.Core.Faults;

/// <summary>How a translation ended. Faults are values: the consumer decides what a guest or a VMM sees of them.</summary>
public enum TranslationStatus : byte
{
    /// <summary>It completed.</summary>
    Ok,

    /// <summary>A guest entry was not present: #PF with P=0 (Intel SDM Vol. 3A §4.7).</summary>
    GuestNotPresent,

    /// <summary>The guest's entries withhold the right: #PF with P=1.</summary>
    GuestProtection,

    /// <summary>The second stage has no present entry for the GPA: EPT violation or nested page fault.</summary>
    SecondStageNotPresent,

    /// <summary>The second stage withholds the right for the GPA: EPT violation or nested page fault.</summary>
    SecondStageProtection,

    /// <summary>A guest entry has a reserved bit set: #PF with P=1 and RSVD=1.</summary>
    GuestReservedBit,

    /// <summary>
    /// A second-stage entry has a setting that is reserved: EPT misconfiguration (Intel SDM Vol. 3C §28.3.3.1), or nested page fault
    /// with RSVD=1.
    /// </summary>
    SecondStageMisconfigured,

    /// <summary>The linear address is not canonical: #GP, or #SS for the stack (Intel SDM Vol. 1 §3.3.7.1).</summary>
    NotCanonical,

    /// <summary>The page-modification log has no room: VM exit before the access (Intel SDM Vol. 3C §28.3.6).</summary>
    PageModificationLogFull,

    /// <summary>The sub-page permission tables are missing or malformed for the GPA: SPP-related VM exit (SDM Vol. 3C §28.3.4).</summary>
    SubPagePermissionEvent,
}
