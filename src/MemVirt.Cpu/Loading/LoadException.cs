namespace MemVirt.Cpu.Loading;

/// <summary>A guest's files cannot be booted: the message is one line that says what, where and how to mend it.</summary>
public sealed class LoadException : Exception
{
    /// <summary>An exception with a line for the user.</summary>
    public LoadException(string message) : base(message.ReplaceLineEndings(" ")) { }

    /// <summary>An exception with a line for the user and its cause.</summary>
    public LoadException(string message, Exception inner) : base(message.ReplaceLineEndings(" "), inner) { }
}
