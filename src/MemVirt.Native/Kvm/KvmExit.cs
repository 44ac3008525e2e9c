namespace MemVirt.Native.Kvm;

/// <summary>Why a virtual processor stopped; values from 0 up are KVM's own exit reasons (KVM API, "exit_reason").</summary>
public enum KvmExit
{
    /// <summary>The time limit of the step ran out and the processor was stopped.</summary>
    TimedOut = -2,

    /// <summary>KVM_RUN failed; the error number says how.</summary>
    RunFailed = -1,

    /// <summary>The hypervisor does not say.</summary>
    Unknown = 0,

    /// <summary>A port was written or read.</summary>
    PortAccess = 2,

    /// <summary>HLT.</summary>
    Halt = 5,

    /// <summary>An access to guest-physical space that no slot backs.</summary>
    Mmio = 6,

    /// <summary>A triple fault.</summary>
    Shutdown = 8,

    /// <summary>The processor could not be entered.</summary>
    FailedEntry = 9,

    /// <summary>A signal.</summary>
    Interrupted = 10,

    /// <summary>KVM gave up, mostly at an instruction that it cannot emulate.</summary>
    InternalError = 17,
}
