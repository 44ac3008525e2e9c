namespace MemVirt.Core.Shadow;

/// <summary>What shadow paging takes of memory, in bytes, what is set aside for growth included.</summary>
/// <param name="Tables">The shadow tables, 4,096 each.</param>
/// <param name="TableIndex">What is kept of each table: its role, the entries that refer to it, and where it is found.</param>
/// <param name="ReverseMap">What is kept of each page that is mapped: the entries that map it.</param>
public readonly record struct ShadowMemoryUse(long Tables, long TableIndex, long ReverseMap);
