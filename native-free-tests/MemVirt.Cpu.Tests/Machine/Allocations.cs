namespace MemVirt.Cpu.Tests.Machine;

/// <summary>Bytes that a piece of work allocates.</summary>
internal static class Allocations
{
    /// <summary>
    /// The least of a few rounds: the runtime's tiered compilation may allocate in the first, and never in all of them.
    /// </summary>
    internal static long Of(Action work)
    {
        long least = long.MaxValue;
        for (int round = 0; round < 5 && least != 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            work();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
