namespace MemVirt.Cpu.Interrupts;

/// <summary>Why a processor stopped.</summary>
internal enum ProcessorStop : byte
{
    /// <summary>It runs.</summary>
    None,

    /// <summary>The time given is over.</summary>
    TimeOver,

    /// <summary>It is halted, and nothing will wake it: HLT with interrupts disabled, or no timer set.</summary>
    Halted,

    /// <summary>A triple fault: shutdown (Intel SDM Vol. 3A §6.15, #DF).</summary>
    TripleFault,

    /// <summary>The bus asks for it.</summary>
    Requested,

    /// <summary>The second stage did not let an access pass, and nobody could mend it.</summary>
    UnhandledStageFault,
}
