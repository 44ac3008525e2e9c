using MemVirt.Cli.Output;
using MemVirt.Native.Terminals;

namespace MemVirt.Cli.Consoles;

/// <summary>A guest's console on a terminal in raw mode; a terminal that goes away types nothing more and takes no more, quietly.</summary>
internal sealed class TerminalConsole : IGuestConsole
{
    private const int QueuedBytes = 1 << 16;
    private const int PollMilliseconds = 50;

    private readonly RawTerminal _terminal;
    private readonly ConsoleOutput _output;
    private readonly bool _outputIsTerminal;
    private readonly ByteQueue _typed = new(QueuedBytes);
    private volatile bool _leaveRequested;
    private volatile bool _isClosed;

    /// <param name="terminal">Standard input; given its own mode back when this is disposed of.</param>
    /// <param name="output">Where the guest's output goes.</param>
    /// <param name="outputIsTerminal">Whether that is a terminal too.</param>
    internal TerminalConsole(RawTerminal terminal, Stream output, bool outputIsTerminal)
    {
        _outputIsTerminal = outputIsTerminal;
        _terminal = terminal;
        _output = new ConsoleOutput(output);
        new Thread(ReadKeys) { IsBackground = true, Name = "guest keyboard" }.Start();
    }

    public bool LeaveRequested => _leaveRequested || _output.Failure is not null;

    public void Write(byte value) => _output.Write(value);

    public void Flush()
    {
        _output.Flush();
        if (!_outputIsTerminal && _output.Failure is OutputException failure)
        {
            throw failure;
        }
    }

    public int Read(Span<byte> typed) => _typed.Take(typed);

    public void Dispose()
    {
        _isClosed = true;
        _output.DropWhatDoesNotFit();
        _output.Dispose();
        _terminal.Dispose();
    }

    private void ReadKeys()
    {
        var parser = new EscapeParser();
        Span<byte> keys = stackalloc byte[256];
        Span<byte> forGuest = stackalloc byte[keys.Length + 1];
        while (!_isClosed && !_leaveRequested)
        {
            int count = _terminal.Read(keys, PollMilliseconds);
            if (count < 0)
            {
                return;
            }

            // Waiting for a guest that reads nothing would keep the user from leaving: what does not fit is lost, as at a terminal's queue.
            _ = _typed.Add(forGuest[..parser.Filter(keys[..count], forGuest)]);
            if (parser.LeaveRequested)
            {
                _leaveRequested = true;
                _output.DropWhatDoesNotFit();
            }
        }
    }
}
