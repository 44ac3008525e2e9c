using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.TraceAccess;

/// <summary>Takes the references of a trace one buffer at a time.</summary>
internal static class TraceCopy
{
    private const int BufferReferences = 1 << 16;

    /// <summary>What is done with a buffer's references.</summary>
    public delegate void Take(ReadOnlySpan<MemoryReference> references);

    /// <summary>Hands all references, or the first <paramref name="limit"/>, to <paramref name="take"/>; returns how many.</summary>
    public static long Run(ITraceReader reader, long? limit, Take take, CommandContext context)
    {
        var buffer = new MemoryReference[BufferReferences];
        long total = 0;
        long left = limit ?? long.MaxValue;
        while (left > 0)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            int count = reader.Read(buffer.AsSpan(0, (int)Math.Min(left, buffer.Length)));
            if (count == 0)
            {
                break;
            }

            take(buffer.AsSpan(0, count));
            total += count;
            left -= count;
            context.Status.Report(total, limit is null ? reader.FractionRead : (double)total / limit);
        }

        return total;
    }
}
