namespace MemVirt.Simulation.Traces.Input;

/// <summary>The integers of .xz (§1.2): seven bits a byte, at most nine bytes, no needless last zero.</summary>
internal static class XzInteger
{
    private const int MaxBytes = 9;

    /// <summary>Takes an integer from the start of a span.</summary>
    public static long Take(ref ReadOnlySpan<byte> source)
    {
        long value = 0;
        for (int i = 0; i < MaxBytes && i < source.Length; i++)
        {
            byte next = source[i];
            value |= (long)(next & 0x7F) << (i * 7);
            if (next < 0x80)
            {
                source = source[(i + 1)..];
                return next == 0 && i > 0 ? throw new InvalidDataException() : value;
            }
        }

        throw new InvalidDataException();
    }

    /// <summary>Takes an integer from the file, noting its bytes in <paramref name="noted"/>.</summary>
    public static long Take(XzInput input, System.IO.Hashing.Crc32 noted)
    {
        Span<byte> bytes = stackalloc byte[MaxBytes];
        int length = 0;
        do
        {
            bytes[length++] = input.TakeByte();
        }
        while (bytes[length - 1] >= 0x80 && length < MaxBytes);

        noted.Append(bytes[..length]);
        ReadOnlySpan<byte> source = bytes[..length];
        return Take(ref source);
    }
}
