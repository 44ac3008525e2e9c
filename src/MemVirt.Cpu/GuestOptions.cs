using MemVirt.Cpu.Spaces;

namespace MemVirt.Cpu;

/// <summary>What a guest has.</summary>
public sealed record GuestOptions
{
    /// <summary>RAM, in bytes: a multiple of 4 KiB, from 2 MiB to 1 TiB.</summary>
    public ulong MemoryBytes { get; init; } = 512UL << 20;

    /// <summary>How its addresses are translated.</summary>
    public GuestRegime Regime { get; init; } = GuestRegime.Native;

    /// <summary>The processor it is shown.</summary>
    public CpuProfile Profile { get; init; } = CpuProfile.Qemu64;

    /// <summary>Takes what it writes to its serial console.</summary>
    public required Action<byte> Output { get; init; }

    /// <summary>The date and time it finds, UTC.</summary>
    public DateTime Start { get; init; } = new(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);
}
