namespace MemVirt.Cpu.Machine;

/// <summary>What lies outside a processor: ports, devices in memory, interrupts, time.</summary>
public interface IProcessorBus
{
    /// <summary>Virtual time.</summary>
    MachineClock Clock { get; }

    /// <summary>External interrupts.</summary>
    IInterruptController Interrupts { get; }

    /// <summary>Whether the run is to end: the guest asked for it, or whoever watches.</summary>
    bool IsStopping { get; }

    /// <summary>Whether something outside virtual time may still raise an interrupt: a terminal that is typed at.</summary>
    bool MayWakeLater { get; }

    /// <summary>The processor sleeps in HLT: in virtual time that is over at once, in real time whoever implements this waits.</summary>
    /// <param name="now">Virtual time now.</param>
    /// <param name="until">When the first timer elapses.</param>
    void Sleep(ulong now, ulong until);

    /// <summary>IN; see <see cref="IPortDevice.Read"/>.</summary>
    uint ReadPort(ushort port, int sizeBytes);

    /// <summary>OUT; see <see cref="IPortDevice.Write"/>.</summary>
    void WritePort(ushort port, int sizeBytes, uint value);

    /// <summary>Reads guest-physical memory that is no RAM; all ones where nothing answers.</summary>
    ulong ReadMemory(ulong gpa, int sizeBytes);

    /// <summary>Writes guest-physical memory that is no RAM.</summary>
    void WriteMemory(ulong gpa, int sizeBytes, ulong value);

    /// <summary>RDMSR of one that is not the processor's own (the APIC's); false for #GP.</summary>
    bool TryReadMsr(uint msr, out ulong value);

    /// <summary>WRMSR of one that is not the processor's own; false for #GP.</summary>
    bool TryWriteMsr(uint msr, ulong value);

    /// <summary>CR8: bits 7:4 of the local APIC's task priority.</summary>
    ulong TaskPriority { get; set; }

    /// <summary>The time-stamp counter now; the clock has been moved on before.</summary>
    ulong TimeStamp { get; set; }

    /// <summary>IA32_TSC_ADJUST.</summary>
    ulong TimeStampAdjust { get; set; }

    /// <summary>Whether the local APIC is enabled: CPUID 1:EDX[9].</summary>
    bool HasLocalApic { get; }
}
