namespace MemVirt.Cpu;

/// <summary>Why a guest stopped.</summary>
public enum GuestStop
{
    /// <summary>The time given is over.</summary>
    TimeOver,

    /// <summary>It halted for good: HLT with interrupts off, or with nothing that would wake it.</summary>
    Halted,

    /// <summary>It wrote to the exit port.</summary>
    Exit,

    /// <summary>It asked for a reset.</summary>
    Reset,

    /// <summary>A triple fault (Intel SDM Vol. 3A §6.15, #DF).</summary>
    TripleFault,

    /// <summary>Somebody stopped it.</summary>
    Stopped,

    /// <summary>Its tables or its memory led where nothing could be done.</summary>
    Unhandled,
}
