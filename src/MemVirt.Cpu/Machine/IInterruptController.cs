namespace MemVirt.Cpu.Machine;

/// <summary>What a processor asks for external interrupts (Intel SDM Vol. 3A §6.3.1).</summary>
public interface IInterruptController
{
    /// <summary>Whether an interrupt waits that the processor would take with RFLAGS.IF set.</summary>
    bool IsPending { get; }

    /// <summary>The interrupt-acknowledge cycle: the vector of what waits, which is in service from then on.</summary>
    byte Acknowledge();
}
