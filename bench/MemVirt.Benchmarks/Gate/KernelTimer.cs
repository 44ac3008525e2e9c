using System.Diagnostics;

namespace MemVirt.Benchmarks.Gate;

/// <summary>What a kernel cost in this process.</summary>
/// <param name="Nanoseconds">An operation.</param>
/// <param name="Ratio">That, divided by a step of the reference kernel, which was measured in turn with it.</param>
/// <param name="Wide">A step of the wide reference divided by one of the reference, in the same samples: it grows where a neighbour shares the core.</param>
/// <param name="AllocatedBytes">Bytes allocated by one call.</param>
internal sealed record Measurement(double Nanoseconds, double Ratio, double Wide, long AllocatedBytes);

/// <summary>
/// Times a kernel in turn with the reference kernels, over as many rounds as asked. What others do to the machine only ever adds time: of
/// the half of the samples in which the wide reference was quickest, the low decile counts; a kernel that looks slow is measured longer.
/// </summary>
internal sealed class KernelTimer
{
    private const double SampleSeconds = 0.0004;
    private const int SamplesOfRound = 8;
    private readonly Kernel _kernel;
    private readonly ReferenceKernel _reference;
    private readonly int _calls;
    private readonly int _referenceCalls;
    private readonly int _wideCalls;
    private readonly List<Sample> _samples = [];

    internal KernelTimer(Kernel kernel, ReferenceKernel reference)
    {
        (_kernel, _reference) = (kernel, reference);
        _calls = Calibrate(kernel.Invoke);
        _referenceCalls = Calibrate(() => reference.Run());
        _wideCalls = Calibrate(() => reference.RunWide());
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

            long wide = Stopwatch.GetTimestamp();
            for (int call = 0; call < _wideCalls; call++)
            {
                _reference.RunWide();
            }

            long kernel = Stopwatch.GetTimestamp();
            for (int call = 0; call < _calls; call++)
            {
                _kernel.Invoke();
            }

            long end = Stopwatch.GetTimestamp();
            _samples.Add(new Sample(
                Nanoseconds(wide - start) / ((double)_referenceCalls * ReferenceKernel.Operations),
                Nanoseconds(kernel - wide) / ((double)_wideCalls * ReferenceKernel.Operations),
                Nanoseconds(end - kernel) / ((double)_calls * _kernel.Operations)));
        }
    }

    internal Measurement Result()
    {
        List<Sample> quietest = [.. _samples.OrderBy(sample => sample.Wide).Take((_samples.Count + 1) / 2)];
        double time = LowDecile(quietest.Select(sample => sample.Kernel));
        double reference = LowDecile(quietest.Select(sample => sample.Reference));
        double wide = LowDecile(quietest.Select(sample => sample.Wide));
        return new Measurement(time, time / reference, wide / reference, AllocatedBytes());
    }

    private static double Nanoseconds(long ticks) => ticks * 1e9 / Stopwatch.Frequency;

    private static double LowDecile(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 10];
    }

    /// <summary>
    /// Runs until the JIT has had its say, and returns how many calls fill a sample. It has had it when windows of a twentieth of a second
    /// have not become quicker for a while: on a busy machine it waits for a processor as all else does, and on a single one it
    /// begins ten times as late.
    /// </summary>
    private static int Calibrate(Action invoke)
    {
        const int MostWindows = 100;
        int enough = Environment.ProcessorCount == 1 ? 25 : 5;
        double least = double.MaxValue;
        int since = 0;
        for (int window = 0; window < MostWindows && since < enough; window++)
        {
            long start = Stopwatch.GetTimestamp();
            long calls = 0;
            do
            {
                invoke();
                calls++;
            }
            while (Stopwatch.GetElapsedTime(start).TotalSeconds < 0.05 || calls < 16);

            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
            since = seconds < least * 0.97 ? 0 : since + 1;
            least = Math.Min(least, seconds);
        }

        return Math.Max(1, (int)(SampleSeconds / least));
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

    /// <summary>Nanoseconds of a step of either reference and of an operation of the kernel, measured one after the other.</summary>
    private readonly record struct Sample(double Reference, double Wide, double Kernel);
}
