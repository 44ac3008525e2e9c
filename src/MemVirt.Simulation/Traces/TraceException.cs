namespace MemVirt.Simulation.Traces;

/// <summary>A trace cannot be read: the message is one line that says what, where and how to mend it.</summary>
public sealed class TraceException : Exception
{
    /// <summary>An exception with a line for the user.</summary>
    public TraceException(string message) : base(message) { }

    /// <summary>An exception with a line for the user and its cause.</summary>
    public TraceException(string message, Exception inner) : base(message, inner) { }
}
