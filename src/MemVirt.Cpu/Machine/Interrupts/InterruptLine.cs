namespace MemVirt.Cpu.Machine.Interrupts;

/// <summary>One input of an interrupt controller, for the device that drives it.</summary>
/// <param name="Lines">The controller.</param>
/// <param name="Irq">The input's number.</param>
public readonly record struct InterruptLine(IInterruptLines Lines, int Irq)
{
    /// <summary>Drives the input; the level it already has changes nothing.</summary>
    public void Set(bool level) => Lines.SetLine(Irq, level);
}
