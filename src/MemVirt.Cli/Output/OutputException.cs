namespace MemVirt.Cli.Output;

/// <summary>An output took no more: the message is one line for the user.</summary>
internal sealed class OutputException : Exception
{
    private const int BrokenPipe = 32;
    private const int NoSpaceLeft = 28;

    private OutputException(string message, Exception inner) : base(message, inner) { }

    /// <summary>The line for an error met while writing to <paramref name="target"/>.</summary>
    public static OutputException From(Exception exception, string target) => new(exception.HResult switch
    {
        BrokenPipe => $"{target} was closed before everything was written; let the reader take all of it, or write to a file",
        NoSpaceLeft => $"{target} is full (no space left on device); free some space, or write somewhere else",
        _ => $"{target} cannot be written: {exception.Message.ReplaceLineEndings(" ").TrimEnd('.')}; write somewhere else",
    }, exception);
}
