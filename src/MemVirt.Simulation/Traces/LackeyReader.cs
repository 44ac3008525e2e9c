using System.Buffers;
using MemVirt.Simulation.Traces.Input;
using MemVirt.Simulation.Traces.Lackey;

namespace MemVirt.Simulation.Traces;

/// <summary>
/// Reads the text of <c>valgrind --tool=lackey --trace-mem=yes</c> in one buffer of fixed size, which readers that
/// follow one another share; reading allocates nothing.
/// </summary>
internal sealed class LackeyReader : ITraceReader
{
    /// <summary>Bytes of the buffer and so the longest line that can be one of the grammar.</summary>
    internal const int BufferBytes = 256 * 1024;

    private readonly TraceInput _input;
    private readonly Stream _content;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferBytes + LackeyBlockParser.SlackBytes);
    private readonly MemoryReference[] _pair = new MemoryReference[2];
    private int _start;
    private int _linesEnd;
    private int _end;
    private long _line;
    private long _references;
    private bool _hasPendingStore;
    private bool _contentEnded;
    private bool _failureIsDamage;
    private TraceException? _failure;

    /// <summary>A reader over the text of a trace.</summary>
    public LackeyReader(TraceInput input, Stream content)
    {
        _input = input;
        _content = content;
    }

    /// <inheritdoc/>
    public string Path => _input.TracePath;

    /// <inheritdoc/>
    public string Format => "lackey";

    /// <inheritdoc/>
    public long? KnownReferences => null;

    /// <inheritdoc/>
    public double? FractionRead => _input.FractionRead;

    /// <inheritdoc/>
    public int Read(Span<MemoryReference> destination)
    {
        int filled = 0;
        if (_hasPendingStore && !destination.IsEmpty)
        {
            destination[filled++] = _pair[1];
            _hasPendingStore = false;
        }

        while (filled < destination.Length && _failure is null && (_start < _linesEnd || Fill()))
        {
            if (LackeyBlockParser.IsSupported)
            {
                filled += LackeyBlockParser.Parse(_buffer, ref _start, _linesEnd, ref _line, destination[filled..]);
            }

            if (filled < destination.Length && _start < _linesEnd)
            {
                filled += ReadLine(destination[filled..]);
            }
        }

        _references += filled;
        if (filled == 0 && !destination.IsEmpty)
        {
            ReportEnd();
        }

        return filled;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _content.Dispose();
        _input.Dispose();
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            (_buffer, _start, _linesEnd, _contentEnded) = ([], 0, 0, true);
        }
    }

    /// <summary>Reads one line the plain way; a store for which there is no room is kept for the next call.</summary>
    private int ReadLine(Span<MemoryReference> destination)
    {
        int length = _buffer.AsSpan(_start, _linesEnd - _start).IndexOf((byte)'\n');
        ReadOnlySpan<byte> line = _buffer.AsSpan(_start, length);
        _start += length + 1;
        _line++;
        switch (LackeyLine.Parse(line, out MemoryReference reference))
        {
            case LackeyLineKind.Skipped:
                return 0;
            case LackeyLineKind.Reference:
                destination[0] = reference;
                return 1;
            case LackeyLineKind.Modify:
                _pair[1] = new MemoryReference(ReferenceKind.Store, reference.LinearAddress48, reference.SizeBytes);
                destination[0] = reference;
                _hasPendingStore = destination.Length == 1;
                if (!_hasPendingStore)
                {
                    destination[1] = _pair[1];
                }

                return _hasPendingStore ? 1 : 2;
            case LackeyLineKind.OutOfRange:
                Fail($"{LackeyLine.Quote(line)} lies outside the canonical addresses or is not 1 to {MemoryReference.MaxSizeBytes} "
                    + "bytes long; mend or remove the line");
                return 0;
            default:
                Fail($"{LackeyLine.Quote(line)} is not a line of a lackey trace (`I  addr,size`, ` L addr,size`, ` S …`, ` M …`); "
                    + "remove the line, or keep the program's own output apart with valgrind --log-file=FILE");
                return 0;
        }
    }

    /// <summary>Fills the buffer behind what is left in it and finds the end of its last whole line; false at the end.</summary>
    private bool Fill()
    {
        while (!_contentEnded)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
            int added = ReadContent(_buffer.AsSpan(_end, BufferBytes - _end));
            int newline = _buffer.AsSpan(_end, added).LastIndexOf((byte)'\n');
            _linesEnd = newline < 0 ? 0 : _end + newline + 1;
            _end += added;
            if (added == 0)
            {
                EndContent();
            }

            if (_linesEnd > 0)
            {
                return true;
            }

            if (_end == BufferBytes)
            {
                return SkipLongLine();
            }
        }

        return false;
    }

    private int ReadContent(Span<byte> destination)
    {
        try
        {
            return _content.Read(destination);
        }
        catch (TraceException failure)
        {
            // What is left of a line is lost with the damage; the lines before it have all been returned by now.
            _failure = failure;
            _failureIsDamage = true;
            _end = 0;
            return 0;
        }
    }

    /// <summary>Ends the last line where the text does not.</summary>
    private void EndContent()
    {
        _contentEnded = true;
        if (_end > 0)
        {
            _buffer[_end++] = (byte)'\n';
            _linesEnd = _end;
        }
    }

    /// <summary>Passes over a line longer than the buffer, if it is Valgrind's own.</summary>
    private bool SkipLongLine()
    {
        if (!LackeyLine.IsOfValgrind(_buffer))
        {
            _line++;
            Fail($"{LackeyLine.Quote(_buffer.AsSpan(0, _end))} is a line of over {BufferBytes} bytes; is this a lackey trace?");
            return false;
        }

        while (true)
        {
            int newline = _buffer.AsSpan(0, _end).IndexOf((byte)'\n');
            if (newline >= 0)
            {
                _line++;
                _start = newline + 1;
                _linesEnd = _buffer.AsSpan(0, _end).LastIndexOf((byte)'\n') + 1;
                return true;
            }

            _end = ReadContent(_buffer.AsSpan(0, BufferBytes));
            if (_end == 0)
            {
                _contentEnded = true;
                return false;
            }
        }
    }

    private void Fail(string what) => _failure = new TraceException($"{Path}, line {_line}: {what}");

    private void ReportEnd()
    {
        if (_failure is not null)
        {
            throw _failureIsDamage && _references > 0
                ? new TraceException($"{_failure.Message}; {_references} references came before that: --refs {_references} uses them", _failure)
                : _failure;
        }

        if (_references == 0)
        {
            throw new TraceException($"{Path}: holds no references: record it with valgrind --tool=lackey --trace-mem=yes");
        }
    }
}
