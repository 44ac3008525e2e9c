using System.Diagnostics;

namespace MemVirt.Benchmarks.Gate;

/// <summary>What a kernel cost in this process.</summary>
/// <param name="Nanoseconds">An operation, the lowest of the rounds' medians.</param>
/// <param name="Ratio">Divided by the reference kernel's step, measured in turn with it.</param>
/// <param name="AllocatedBytes">Bytes allocated by one call, exactly.</param>
internal sealed record Measurement(double Nanoseconds, double Ratio, long AllocatedBytes)
{
    private const double SampleSeconds = 0.0004;
    private const int Samples = 15;

    /// <summary>
    /// Measures in rounds. A round takes samples of kernel and reference in turn and the lower quartile of each: what others do to the
    /// machine only ever adds time, and it adds to both.
    /// </summary>
    internal static Measurement Of(Kernel kernel, ReferenceKernel reference, int rounds)
    {
        int calls = Calibrate(kernel.Invoke);
        int referenceCalls = Calibrate(() => reference.Run());
        double best = double.MaxValue;
        var ratios = new double[rounds];
        var times = new double[Samples];
        var referenceTimes = new double[Samples];
        for (int round = 0; round < rounds; round++)
        {
            for (int sample = 0; sample < Samples; sample++)
            {
                long start = Stopwatch.GetTimestamp();
                for (int call = 0; call < referenceCalls; call++)
                {
                    reference.Run();
                }

                long middle = Stopwatch.GetTimestamp();
                for (int call = 0; call < calls; call++)
                {
                    kernel.Invoke();
                }

                long end = Stopwatch.GetTimestamp();
                referenceTimes[sample] = Nanosecond(middle - start) / ((double)referenceCalls * ReferenceKernel.Operations);
                times[sample] = Nanosecond(end - middle) / ((double)calls * kernel.Operations);
            }

            double time = LowerQuartile(times);
            best = Math.Min(best, time);
            ratios[round] = time / LowerQuartile(referenceTimes);
        }

        Array.Sort(ratios);
        return new Measurement(best, ratios[rounds / 2], AllocatedBy(kernel.Invoke));
    }

    private static double Nanosecond(long ticks) => ticks * 1e9 / Stopwatch.Frequency;

    private static double LowerQuartile(double[] values)
    {
        Array.Sort(values);
        return values[values.Length / 4];
    }

    /// <summary>Runs until the JIT has had its say, and returns how many calls fill a sample.</summary>
    private static int Calibrate(Action invoke)
    {
        long until = Stopwatch.GetTimestamp() + (long)(0.25 * Stopwatch.Frequency);
        long calls = 0;
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetTimestamp() < until || calls < 64)
        {
            invoke();
            calls++;
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
        return Math.Max(1, (int)(SampleSeconds / seconds));
    }

    /// <summary>The least of a few calls: the runtime's own tiering may allocate in one of them.</summary>
    private static long AllocatedBy(Action invoke)
    {
        long least = long.MaxValue;
        for (int call = 0; call < 5; call++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            invoke();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
