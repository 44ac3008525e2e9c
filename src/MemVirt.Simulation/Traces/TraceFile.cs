namespace MemVirt.Simulation.Traces;
/// <summary>Stub.</summary>
public static class TraceFile { /// <summary>.</summary>
public static ITraceReader Open(string p) => throw new TraceException(p); }
