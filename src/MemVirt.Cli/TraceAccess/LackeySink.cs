using System.Globalization;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.TraceAccess;

/// <summary>Valgrind lackey's text, one line a reference (an <c>M</c> of the original comes out as its load and its store).</summary>
internal sealed class LackeySink(Stream stream) : ReferenceSink
{
    private const int LongestLine = 32;
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _used;

    public override void Append(ReadOnlySpan<MemoryReference> references)
    {
        foreach (MemoryReference reference in references)
        {
            if (_buffer.Length - _used < LongestLine)
            {
                Drain();
            }

            ReadOnlySpan<byte> prefix = reference.Kind switch
            {
                ReferenceKind.Fetch => "I  "u8,
                ReferenceKind.Load => " L "u8,
                _ => " S "u8,
            };
            prefix.CopyTo(_buffer.AsSpan(_used));
            _used += prefix.Length;
            reference.Address.TryFormat(_buffer.AsSpan(_used), out int written, "x8", CultureInfo.InvariantCulture);
            _used += written;
            _buffer[_used++] = (byte)',';
            reference.SizeBytes.TryFormat(_buffer.AsSpan(_used), out written, default, CultureInfo.InvariantCulture);
            _used += written;
            _buffer[_used++] = (byte)'\n';
        }
    }

    public override void Complete() => Drain();

    public override void Dispose()
    {
    }

    private void Drain()
    {
        stream.Write(_buffer.AsSpan(0, _used));
        _used = 0;
    }
}
