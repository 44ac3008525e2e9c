using MemVirt.Cli.Output;

namespace MemVirt.Cli.Consoles;

/// <summary>A guest's console on pipes or files: every byte passes as it is, and an input that ends types nothing more.</summary>
internal sealed class PlainConsole : IGuestConsole
{
    private const int QueuedBytes = 1 << 16;

    private readonly Stream _input;
    private readonly ConsoleOutput _output;
    private readonly ByteQueue _typed = new(QueuedBytes);

    internal PlainConsole(Stream input, Stream output)
    {
        _input = input;
        _output = new ConsoleOutput(output);
        new Thread(ReadInput) { IsBackground = true, Name = "guest input" }.Start();
    }

    public bool LeaveRequested => _output.Failure is not null;

    public void Write(byte value) => _output.Write(value);

    public void Flush()
    {
        _output.Flush();
        if (_output.Failure is OutputException failure)
        {
            throw failure;
        }
    }

    public int Read(Span<byte> typed) => _typed.Take(typed);

    public void Dispose()
    {
        _typed.Close();
        _output.DropWhatDoesNotFit();
        _output.Dispose();
    }

    private void ReadInput()
    {
        var buffer = new byte[4096];
        try
        {
            for (int count = _input.Read(buffer); count > 0 && _typed.AddAll(buffer.AsSpan(0, count)); count = _input.Read(buffer))
            {
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // An input that fails has ended.
        }
    }
}
