using System.IO.Compression;

namespace MemVirt.Simulation.Traces.Input;

/// <summary>
/// Decompresses gzip and notices where it is cut short, which <see cref="GZipStream"/> takes for its end. At the end of the
/// file one more member is fed in, whose contents are known: after a whole file they come out, after part of one they don't.
/// </summary>
internal sealed class CheckedGZipStream : ReadOnlyStream
{
    private static readonly byte[] s_lastContents = "the end of MemVirt's input"u8.ToArray();
    private static readonly byte[] s_lastMember = Compress(s_lastContents);

    private readonly EndMarkedInput _input;
    private readonly GZipStream _decompressor;
    private bool _isAtEnd;

    /// <summary>A stream over a file that starts with the magic of gzip.</summary>
    public CheckedGZipStream(Stream file)
    {
        _input = new EndMarkedInput(file);
        _decompressor = new GZipStream(_input, CompressionMode.Decompress);
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        if (_isAtEnd || buffer.IsEmpty)
        {
            return 0;
        }

        // The decompressor asks for input only once what it had gives nothing more: what comes out of the call that reaches the
        // end of the file, and of later ones, comes out of the last member.
        try
        {
            int read = _decompressor.Read(buffer);
            if (!_input.HasEnded)
            {
                return read;
            }

            _isAtEnd = true;
            RequireLastContents(buffer[..read]);
            return 0;
        }
        catch (InvalidDataException) when (_input.HasEnded)
        {
            throw new EndOfStreamException();
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _decompressor.Dispose();
        }

        base.Dispose(disposing);
    }

    private void RequireLastContents(ReadOnlySpan<byte> start)
    {
        Span<byte> contents = stackalloc byte[s_lastContents.Length + 1];
        int length = Math.Min(start.Length, contents.Length);
        start[..length].CopyTo(contents);
        length += _decompressor.ReadAtLeast(contents[length..], contents.Length - length, throwOnEndOfStream: false);
        if (!contents[..length].SequenceEqual(s_lastContents))
        {
            throw new EndOfStreamException();
        }
    }

    private static byte[] Compress(byte[] contents)
    {
        using var member = new MemoryStream();
        using (var compressor = new GZipStream(member, CompressionLevel.Optimal, leaveOpen: true))
        {
            compressor.Write(contents);
        }

        return member.ToArray();
    }

    /// <summary>The file and, behind it, the last member.</summary>
    private sealed class EndMarkedInput(Stream file) : ReadOnlyStream
    {
        private int _taken;

        /// <summary>Whether the file has been used up.</summary>
        public bool HasEnded { get; private set; }

        /// <inheritdoc/>
        public override int Read(Span<byte> buffer)
        {
            int read = HasEnded ? 0 : file.Read(buffer);
            if (read > 0 || buffer.IsEmpty)
            {
                return read;
            }

            HasEnded = true;
            int taken = Math.Min(buffer.Length, s_lastMember.Length - _taken);
            s_lastMember.AsSpan(_taken, taken).CopyTo(buffer);
            _taken += taken;
            return taken;
        }
    }
}
