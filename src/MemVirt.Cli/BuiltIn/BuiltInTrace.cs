using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.BuiltIn;

/// <summary>A trace that comes with the tool.</summary>
/// <param name="Name">The name results are reported under.</param>
/// <param name="Program">The program it was recorded from, with its version.</param>
/// <param name="Command">The exact command that recorded it.</param>
/// <param name="Shows">What it is there to show.</param>
internal sealed record BuiltInTrace(string Name, string Program, string Command, string Shows)
{
    /// <summary>Opens it; the caller disposes the reader.</summary>
    public ITraceReader Open()
        => TraceFile.Open(
            Name,
            typeof(BuiltInTrace).Assembly.GetManifestResourceStream($"MemVirt.BuiltIn.{Name}.mvt")
                ?? throw new InvalidDataException($"the built-in trace {Name} is in the manifest, but not in the program"));
}
