namespace MemVirt.Core.Invalidation;

/// <summary>A message on the bus: what to wait for. The default one is acknowledged.</summary>
/// <param name="Number">The message's number, from 1.</param>
/// <param name="Processors">The virtual processors it went to, one bit each.</param>
public readonly record struct InvalidationTicket(long Number, ulong Processors);
