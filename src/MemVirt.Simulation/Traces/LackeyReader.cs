using System.Text;

namespace MemVirt.Simulation.Traces;

/// <summary>
/// Valgrind lackey's text: <c>I  addr,size</c>, <c> L addr,size</c>, <c> S addr,size</c>, <c> M addr,size</c> (a load, then a store);
/// addresses hexadecimal, sizes decimal. Blank lines and lines that begin with <c>==</c> or <c>--</c> are skipped; any other line
/// is an error. One buffer of fixed size, whatever the length of a line.
/// </summary>
internal sealed unsafe class LackeyReader(ByteInput input) : ITraceReader
{
    private const int BufferBytes = 1 << 18;
    private const int LongestLine = 64;
    private const int QuotedBytes = 40;
    private static readonly sbyte[] HexValues = BuildHexValues();
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(BufferBytes + LongestLine, pinned: true);
    private int _position;
    private int _length;
    private bool _atEnd;
    private bool _skippingLine;
    private long _line;
    private long _references;
    private MemoryReference _pendingStore;
    private bool _hasPendingStore;

    public string Path => input.Path;

    public string Format => "lackey";

    public long? KnownReferences => null;

    public double? FractionRead => input.FractionRead;

    public int Read(Span<MemoryReference> destination)
    {
        int count = 0;
        if (_hasPendingStore && destination.Length > 0)
        {
            destination[count++] = _pendingStore;
            _hasPendingStore = false;
        }

        while (count < destination.Length)
        {
            if (_length - _position <= LongestLine && !_atEnd)
            {
                if (count > 0 && _position == _length)
                {
                    // What has been parsed is worth more than waiting for a slow writer.
                    break;
                }

                Refill();
            }

            if (_skippingLine && !SkipRestOfLine())
            {
                if (_atEnd && _position == _length)
                {
                    break;
                }

                continue;
            }

            if (_position == _length)
            {
                if (_atEnd)
                {
                    break;
                }

                continue;
            }

            count += ParseLines(destination[count..]);
        }

        _references += count;
        if (count == 0 && destination.Length > 0 && _references == 0)
        {
            throw new TraceException($"{Path}: holds no references; record with valgrind --tool=lackey --trace-mem=yes");
        }

        return count;
    }

    public void Dispose() => input.Dispose();

    private static sbyte[] BuildHexValues()
    {
        var values = new sbyte[256];
        Array.Fill(values, (sbyte)-1);
        for (int digit = 0; digit < 16; digit++)
        {
            values["0123456789abcdef"[digit]] = (sbyte)digit;
            values["0123456789ABCDEF"[digit]] = (sbyte)digit;
        }

        return values;
    }

    private void Refill()
    {
        int left = _length - _position;
        _buffer.AsSpan(_position, left).CopyTo(_buffer);
        _position = 0;
        int read = input.ReadSome(_buffer.AsSpan(left, BufferBytes - left));
        _length = left + read;
        if (read == 0)
        {
            // A last line without an end gets one, so that every line has one.
            _atEnd = true;
            if (left > 0 && _buffer[_length - 1] != (byte)'\n')
            {
                _buffer[_length++] = (byte)'\n';
            }
        }
    }

    /// <summary>Parses whole lines until the destination is full or what is left may be cut off. Returns the references.</summary>
    private int ParseLines(Span<MemoryReference> destination)
    {
        int count = 0;
        int safe = _atEnd ? _length : _length - LongestLine;
        fixed (byte* start = _buffer)
        fixed (sbyte* hex = HexValues)
        {
            byte* p = start + _position;
            byte* end = start + safe;
            while (p < end && count < destination.Length)
            {
                byte* line = p;
                uint kind = p[0] == 'I' ? (p[1] == ' ' ? 'I' : 0u) : p[0] == ' ' ? p[1] : 0u;
                if ((kind != 'I' && kind != 'L' && kind != 'S' && kind != 'M') || p[2] != ' ')
                {
                    _position = (int)(line - start);
                    if (!TrySkipLine())
                    {
                        return count;
                    }

                    p = start + _position;
                    continue;
                }

                p += 3;
                byte* firstDigit = p;
                ulong address = 0;
                int value;
                while ((value = hex[*p]) >= 0 && p - firstDigit <= 16)
                {
                    address = (address << 4) | (uint)value;
                    p++;
                }

                bool good = p > firstDigit && p - firstDigit <= 16 && *p == ',';
                byte* firstDecimal = ++p;
                uint size = 0;
                uint decimalDigit;
                while ((decimalDigit = (uint)(*p - '0')) < 10 && p - firstDecimal < 8)
                {
                    size = (size * 10) + decimalDigit;
                    p++;
                }

                p += *p == '\r' ? 1 : 0;
                if (!good || *p != '\n' || p == firstDecimal || !MemoryReference.IsValid(address, size))
                {
                    _position = (int)(line - start);
                    ThrowBadLine(good && size > 0);
                }

                p++;
                _line++;
                ReferenceKind first = kind == 'I' ? ReferenceKind.Fetch : kind == 'S' ? ReferenceKind.Store : ReferenceKind.Load;
                destination[count++] = new MemoryReference(first, address, (int)size);
                if (kind == 'M')
                {
                    var store = new MemoryReference(ReferenceKind.Store, address, (int)size);
                    if (count < destination.Length)
                    {
                        destination[count++] = store;
                    }
                    else
                    {
                        (_pendingStore, _hasPendingStore) = (store, true);
                    }
                }
            }

            _position = (int)(p - start);
        }

        return count;
    }

    /// <summary>At a line that is no reference: skips it if that is allowed; false where its end is not in the buffer yet.</summary>
    private bool TrySkipLine()
    {
        ReadOnlySpan<byte> rest = _buffer.AsSpan(_position, _length - _position);
        int blank = rest.IndexOfAnyExcept((byte)' ', (byte)'\t', (byte)'\r');
        bool allowed = rest.StartsWith("=="u8) || rest.StartsWith("--"u8) || (blank >= 0 && rest[blank] == (byte)'\n');
        if (!allowed)
        {
            ThrowBadLine(looksLikeReference: false);
        }

        _skippingLine = true;
        return SkipRestOfLine();
    }

    private bool SkipRestOfLine()
    {
        int newline = _buffer.AsSpan(_position, _length - _position).IndexOf((byte)'\n');
        if (newline < 0)
        {
            _position = _length;
            return false;
        }

        _position += newline + 1;
        _line++;
        _skippingLine = false;
        return true;
    }

    private void ThrowBadLine(bool looksLikeReference)
    {
        ReadOnlySpan<byte> line = _buffer.AsSpan(_position, Math.Min(QuotedBytes, _length - _position));
        int end = line.IndexOfAny((byte)'\n', (byte)'\r');
        var quoted = new StringBuilder();
        foreach (byte character in end < 0 ? line : line[..end])
        {
            quoted.Append(character is >= 0x20 and < 0x7F ? (char)character : '?');
        }

        string reason = looksLikeReference
            ? $"has an address that is not canonical or a size that is not from 1 to {MemoryReference.MaxSizeBytes}"
            : "is not a line of lackey's (I, L, S or M, an address, a comma, a size)";
        throw new TraceException(
            $"{Path}: line {_line + 1} {reason}: \"{quoted}\"; mend or remove the line, and keep the program's own output out of the trace");
    }
}
