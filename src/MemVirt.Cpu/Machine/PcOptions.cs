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
}
