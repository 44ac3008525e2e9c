namespace MemVirt.Cpu.Machine.Interrupts;

/// <summary>The inputs of an interrupt controller.</summary>
public interface IInterruptLines
{
    /// <summary>Drives an input; the level it already has changes nothing.</summary>
    /// <param name="irq">The input's number.</param>
    /// <param name="level">High or low.</param>
    void SetLine(int irq, bool level);
}
