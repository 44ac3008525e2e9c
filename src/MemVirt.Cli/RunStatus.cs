using System.Diagnostics;
using MemVirt.Cli.Rendering;

namespace MemVirt.Cli;

/// <summary>How far the running command has come; written by workers, read by the progress bar and by Ctrl-C.</summary>
internal sealed class RunStatus
{
    private readonly long _startedAt = Stopwatch.GetTimestamp();
    private long _finished;
    private long _references;
    private long _fractionBits = BitConverter.DoubleToInt64Bits(double.NaN);

    /// <summary>References processed, over everything this command has read so far.</summary>
    public long References => Interlocked.Read(ref _finished) + Interlocked.Read(ref _references);

    /// <summary>References of the present piece of work.</summary>
    public long PieceReferences => Interlocked.Read(ref _references);

    /// <summary>The part of the present piece that is done, from 0 to 1; NaN where it cannot be told.</summary>
    public double Fraction => BitConverter.Int64BitsToDouble(Interlocked.Read(ref _fractionBits));

    public void Report(long references, double? fraction)
    {
        Interlocked.Exchange(ref _references, references);
        Interlocked.Exchange(ref _fractionBits, BitConverter.DoubleToInt64Bits(fraction ?? double.NaN));
    }

    /// <summary>Ends a piece of work: what follows counts from 0 again.</summary>
    public void EndPiece()
    {
        Interlocked.Add(ref _finished, Interlocked.Exchange(ref _references, 0));
        Report(0, null);
    }

    /// <summary>The line that Ctrl-C leaves behind.</summary>
    public string Interrupted()
    {
        double seconds = Stopwatch.GetElapsedTime(_startedAt).TotalSeconds;
        return NumberText.Line(
            $"stopped after {References:N0} references, {seconds:0.0} s; nothing was written under an output's name");
    }
}
