namespace MemVirt.Simulation.Traces;

/// <summary>A stream of references. Readers hold one buffer of fixed size whatever the trace's length.</summary>
public interface ITraceReader : IDisposable
{
    /// <summary>The path as the user gave it, or <c>-</c> for standard input.</summary>
    string Path { get; }

    /// <summary>The format's short name: <c>lackey</c>, <c>mvt</c> or <c>champsim</c>.</summary>
    string Format { get; }

    /// <summary>References the whole trace holds, where the format says so up front; else null.</summary>
    long? KnownReferences { get; }

    /// <summary>How much of the input has been consumed, from 0 to 1, where it can be told; else null.</summary>
    double? FractionRead { get; }

    /// <summary>
    /// Fills <paramref name="destination"/> from its start with the next references and returns how many; 0 only at the end.
    /// Damage is reported once all references before it have been returned.
    /// </summary>
    /// <exception cref="TraceException">The input is damaged or malformed; the message is one line for the user.</exception>
    int Read(Span<MemoryReference> destination);
}
