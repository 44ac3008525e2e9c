namespace MemVirt.Core.Shadow;

/// <summary>How many shadow pages a pager keeps.</summary>
/// <param name="MaxPages">
/// The most shadow pages, at least 64; when a fault might need more, the oldest go until a sixteenth is free (KVM: n_max_mmu_pages).
/// Their tables are zeroed and used again, so that host memory for shadow tables is at most 4 KiB each.
/// </param>
public sealed record ShadowPoolOptions(int MaxPages = 16_384);
