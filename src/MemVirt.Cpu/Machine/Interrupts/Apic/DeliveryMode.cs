namespace MemVirt.Cpu.Machine.Interrupts.Apic;

/// <summary>How an interrupt is delivered (Intel SDM Vol. 3A §11.5.1, §11.6.1).</summary>
internal enum DeliveryMode
{
    Fixed = 0,
    LowestPriority = 1,
    Smi = 2,
    Nmi = 4,
    Init = 5,
    StartUp = 6,

    /// <summary>An interrupt whose vector an 8259A gives.</summary>
    ExtInt = 7,
}
