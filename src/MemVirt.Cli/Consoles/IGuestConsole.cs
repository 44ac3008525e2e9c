using MemVirt.Cli.Output;

namespace MemVirt.Cli.Consoles;

/// <summary>The far end of a guest's serial line.</summary>
internal interface IGuestConsole : IDisposable
{
    /// <summary>Whether the user wants to leave, or nobody takes the output any more; stays true. Any thread may ask, at the cost of a load.</summary>
    bool LeaveRequested { get; }

    /// <summary>
    /// Shows a byte, at once as a reader sees it; many together cost one system call. Waits where the other side is behind by 64 KiB;
    /// what nobody takes any more is dropped.
    /// </summary>
    void Write(byte value);

    /// <summary>Waits until what was written has been taken, for a second at most.</summary>
    /// <exception cref="OutputException">A redirected output took no more.</exception>
    void Flush();

    /// <summary>Takes what was typed since, without waiting; costs a load where nothing was.</summary>
    /// <returns>How many bytes; 0 for none.</returns>
    int Read(Span<byte> typed);
}
