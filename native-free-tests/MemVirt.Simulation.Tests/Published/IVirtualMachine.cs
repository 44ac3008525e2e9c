using MemVirt.Core.Access;

namespace MemVirt.Simulation.Tests.Published;

/// <summary>A virtual processor with its memory and its VMM, which counts the exits that the guest's actions cost.</summary>
internal interface IVirtualMachine : IDisposable
{
    /// <summary>Exits so far.</summary>
    ExitCounts Exits { get; }

    /// <summary>Translations that a hardware walk completed: misses of the TLB.</summary>
    long Walks { get; }

    /// <summary>Latency of the walks' reads and of walk-cache hits, in cycles.</summary>
    double WalkCycles { get; }

    /// <summary>Writes a word of guest memory before the guest runs, as a boot loader does.</summary>
    void Place(ulong gpa, ulong word);

    /// <summary>Starts the guest in supervisor mode; costs no exit.</summary>
    void Start(ulong cr3);

    /// <summary>CPL 3 or 0 from now on.</summary>
    void SwitchPrivilege(bool user);

    /// <summary>One access; false where it ends in a #PF that the guest sees.</summary>
    bool TryAccess(ulong address, MemoryAccess access);

    /// <summary>The guest's kernel loads an aligned word through its own mapping.</summary>
    ulong Load(ulong address);

    /// <summary>The guest's kernel stores an aligned word through its own mapping.</summary>
    void Store(ulong address, ulong word);

    /// <summary>MOV to CR3, PCID in bits 11:0, bit 63 to keep what is cached.</summary>
    void MoveToCr3(ulong value);

    /// <summary>MOV from CR3.</summary>
    void MoveFromCr3();

    void Invlpg(ulong address);
}
