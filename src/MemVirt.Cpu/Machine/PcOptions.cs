namespace MemVirt.Cpu.Machine;

/// <summary>What varies between the PCs of <see cref="PcDevices"/>. Equal options and an equal guest make an equal run.</summary>
public sealed record PcOptions
{
    /// <summary>What the real-time clock shows at reset.</summary>
    public DateTime Start { get; init; } = new(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    /// <summary>Bytes of memory from address 0, for the CMOS.</summary>
    public ulong BytesBelow4GiB { get; init; }

    /// <summary>Bytes of memory from address 4 GiB, for the CMOS.</summary>
    public ulong BytesAbove4GiB { get; init; }

    /// <summary>Takes what COM1 sends; null to drop it.</summary>
    public Action<byte>? Com1Output { get; init; }

    /// <summary>Takes what COM2 sends; null for a PC without COM2.</summary>
    public Action<byte>? Com2Output { get; init; }

    /// <summary>Whether there is a local APIC between the 8259A pair and the processor.</summary>
    public bool HasLocalApic { get; init; }

    /// <summary>The local APIC timer's frequency before it is divided, 1 to 18 GHz: CPUID.15H's crystal clock.</summary>
    public ulong ApicTimerHertz { get; init; } = 1_000_000_000;

    /// <summary>The time-stamp counter's frequency, 1 to 18 GHz.</summary>
    public ulong TimeStampHertz { get; init; } = 1_000_000_000;

    /// <summary>MAXPHYADDR, 32 to 52.</summary>
    public int PhysicalAddressBits { get; init; } = 40;
}
