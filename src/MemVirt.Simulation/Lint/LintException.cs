namespace MemVirt.Simulation.Lint;

/// <summary>A run cannot be read: one line with the file, the line, what is wrong and how to mend it.</summary>
public sealed class LintException(string message) : Exception(message);
