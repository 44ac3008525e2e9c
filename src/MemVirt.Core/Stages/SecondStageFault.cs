using MemVirt.Core.Faults;

namespace MemVirt.Core.Stages;

/// <summary>Why a second stage did not translate.</summary>
/// <param name="Status">What happened.</param>
/// <param name="Address">The guest-physical address.</param>
/// <param name="Code">
/// EPT violation: the exit qualification (Intel SDM Vol. 3C table 27-7); nested page fault: EXITINFO1 (AMD APM Vol. 2 §15.25.6);
/// sub-page event: its exit qualification; EPT misconfiguration and full log: 0.
/// </param>
/// <param name="IsConvertible">Whether the EPT violation may become a #VE: bit 63 of the entry that decided is 0 (SDM §25.5.7.1).</param>
public readonly record struct SecondStageFault(TranslationStatus Status, ulong Address, ulong Code, bool IsConvertible);
