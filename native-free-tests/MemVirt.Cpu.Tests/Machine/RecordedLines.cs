using MemVirt.Cpu.Machine.Interrupts;

namespace MemVirt.Cpu.Tests.Machine;

/// <summary>Interrupt lines that remember their level and count their rises.</summary>
internal sealed class RecordedLines : IInterruptLines
{
    private readonly bool[] _levels = new bool[16];
    private readonly int[] _rises = new int[16];

    public void SetLine(int irq, bool level)
    {
        _rises[irq] += level && !_levels[irq] ? 1 : 0;
        _levels[irq] = level;
    }

    internal bool LevelOf(int irq) => _levels[irq];

    internal int RisesOf(int irq) => _rises[irq];

    internal InterruptLine Line(int irq) => new(this, irq);
}
