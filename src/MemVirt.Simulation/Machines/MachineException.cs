namespace MemVirt.Simulation.Machines;

/// <summary>A machine cannot be had: the message is one line that says which file and field, what is wrong and what to write.</summary>
public sealed class MachineException : Exception
{
    /// <summary>An exception with a line for the user.</summary>
    public MachineException(string message) : base(message) { }

    /// <summary>An exception with a line for the user and its cause.</summary>
    public MachineException(string message, Exception inner) : base(message, inner) { }
}
