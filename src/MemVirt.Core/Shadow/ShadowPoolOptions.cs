namespace MemVirt.Core.Shadow;

/// <summary>How many shadow pages a pager keeps.</summary>
/// <param name="MaxPages">
/// The most shadow pages, at least 64; when a fault might need more, the oldest go until a sixteenth is free (KVM: n_max_mmu_pages).
/// 16,384 hold 64 MiB of tables, enough to map 32 GiB that is used densely.
/// </param>
/// <param name="ReusesTables">
/// Whether the tables of removed pages are zeroed and used again, so that host memory for shadow tables is at most 4 KiB for each of
/// <paramref name="MaxPages"/>; else each table ever made has a frame of its own.
/// </param>
public sealed record ShadowPoolOptions(int MaxPages = 16_384, bool ReusesTables = true);
