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

    /// <summary>The second stage withholds the right for the GPA.</summary>
    SecondStageProtection,
}
