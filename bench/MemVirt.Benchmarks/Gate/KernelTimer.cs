using System.Diagnostics;

namespace MemVirt.Benchmarks.Gate;

/// <summary>What a kernel cost in this process.</summary>
/// <param name="Nanoseconds">An operation.</param>
/// <param name="Ratio">That, divided by a step of the reference kernel, which was measured in turn with it.</param>
/// <param name="AllocatedBytes">Bytes allocated by one call.</param>
internal sealed record Measurement(double Nanoseconds, double Ratio, long AllocatedBytes);

/// <summary>
/// Times a kernel in turn with the reference kernel, over as many rounds as asked. What others do to the machine only ever adds time: of
/// each of the two the low decile counts, and a kernel that looks slow is simply measured longer.
/// </summary>
internal sealed class KernelTimer
{
    private const double SampleSeconds = 0.0004;
    private const int SamplesOfRound = 8;
    private readonly Kernel _kernel;
    private readonly ReferenceKernel _reference;
    private readonly int _calls;
    private readonly int _referenceCalls;
    private readonly List<double> _times = [];
    private readonly List<double> _referenceTimes = [];

    internal KernelTimer(Kernel kernel, ReferenceKernel reference)
    {
        (_kernel, _reference) = (kernel, reference);
        _calls = Calibrate(kernel.Invoke);
        _referenceCalls = Calibrate(() => reference.Run());
    }

    internal Kernel Kernel => _kernel;

    internal void Round()
    {
        for (int sample = 0; sample < SamplesOfRound; sample++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int call = 0; call < _referenceCalls; call++)
            {
                _reference.Run();
            }

            long middle = Stopwatch.GetTimestamp();
            for (int call = 0; call < _calls; call++)
            {
                _kernel.Invoke();
            }

            long end = Stopwatch.GetTimestamp();
            _referenceTimes.Add(Nanoseconds(middle - start) / ((double)_referenceCalls * ReferenceKernel.Operations));
            _times.Add(Nanoseconds(end - middle) / ((double)_calls * _kernel.Operations));
        }
    }

    internal Measurement Result()
    {
        double time = LowDecile(_times);
        return new Measurement(time, time / LowDecile(_referenceTimes), AllocatedBytes());
    }

    private static double Nanoseconds(long ticks) => ticks * 1e9 / Stopwatch.Frequency;

    private static double LowDecile(List<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 10];
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
    private long AllocatedBytes()
    {
        long least = long.MaxValue;
        for (int call = 0; call < 5; call++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            _kernel.Invoke();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
