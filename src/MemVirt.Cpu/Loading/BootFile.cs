using System.Buffers.Binary;

namespace MemVirt.Cpu.Loading;

/// <summary>A file to boot, whole in this process's memory; reading past its end says so.</summary>
internal sealed class BootFile
{
    /// <summary>More than any kernel has; what an endless device is stopped at.</summary>
    internal const long LongestKernel = 512 << 20;

    private readonly byte[] _bytes;

    private BootFile(string path, byte[] bytes)
    {
        Path = path;
        _bytes = bytes;
    }

    internal string Path { get; }

    internal ulong LengthBytes => (ulong)_bytes.LongLength;

    internal ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>What a caller has already.</summary>
    internal static BootFile Of(string path, byte[] bytes) => new(path, bytes);

    /// <summary>Reads a file, or anything else that ends.</summary>
    /// <param name="path">Its name.</param>
    /// <param name="role">What it is to the guest, for the message: "the kernel".</param>
    /// <param name="limitBytes">The longest that can be of use; at most 2 GiB are read.</param>
    /// <param name="remedy">What to do about a longer one.</param>
    /// <exception cref="LoadException">There is no such file, it cannot be read, it is empty or too long.</exception>
    internal static BootFile Read(string path, string role, ulong limitBytes, string remedy)
    {
        try
        {
            using FileStream stream = File.OpenRead(path);
            long limit = (long)Math.Min(limitBytes, (ulong)Array.MaxLength);
            long expected = stream.CanSeek ? stream.Length : 0;
            if (expected > limit)
            {
                throw new LoadException($"{path}: {role} has {expected} bytes and at most {limit} fit; {remedy}");
            }

            byte[] bytes = Drain(stream, expected, limit)
                ?? throw new LoadException($"{path}: {role} has more than the {limit} bytes that fit; {remedy}");
            return bytes.Length > 0 ? new BootFile(path, bytes) : throw new LoadException($"{path}: {role} is empty; give the whole file");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            string reason = exception switch
            {
                _ when Directory.Exists(path) => "is a directory",
                FileNotFoundException or DirectoryNotFoundException => "does not exist",
                UnauthorizedAccessException => "may not be read",
                _ => "cannot be read (" + exception.Message.TrimEnd('.') + ")",
            };
            throw new LoadException($"{path}: {role} {reason}; give a file that can be read", exception);
        }
    }

    /// <summary>The value at an offset, little-endian.</summary>
    /// <exception cref="LoadException">The file ends before.</exception>
    internal byte U8(ulong offset, string field) => Slice(offset, 1, field)[0];

    /// <inheritdoc cref="U8"/>
    internal ushort U16(ulong offset, string field) => BinaryPrimitives.ReadUInt16LittleEndian(Slice(offset, 2, field));

    /// <inheritdoc cref="U8"/>
    internal uint U32(ulong offset, string field) => BinaryPrimitives.ReadUInt32LittleEndian(Slice(offset, 4, field));

    /// <inheritdoc cref="U8"/>
    internal ulong U64(ulong offset, string field) => BinaryPrimitives.ReadUInt64LittleEndian(Slice(offset, 8, field));

    /// <summary>A part of the file.</summary>
    /// <exception cref="LoadException">The file ends before.</exception>
    internal ReadOnlySpan<byte> Slice(ulong offset, ulong lengthBytes, string what)
        => Holds(offset, lengthBytes)
            ? _bytes.AsSpan((int)offset, (int)lengthBytes)
            : throw new LoadException(
                $"{Path}: offset 0x{offset:x}: {what} of {lengthBytes} bytes ends after the file, which has {LengthBytes}; "
                + "the file is cut off or damaged, get it again");

    internal bool Holds(ulong offset, ulong lengthBytes) => offset <= LengthBytes && lengthBytes <= LengthBytes - offset;

    /// <summary>What is wrong with a value, where, and how to mend it.</summary>
    internal LoadException Wrong(ulong offset, string what, string remedy) => new($"{Path}: offset 0x{offset:x}: {what}; {remedy}");

    private static byte[]? Drain(FileStream stream, long expected, long limit)
    {
        using var content = new MemoryStream((int)expected);
        var buffer = new byte[1 << 16];
        for (int read = stream.Read(buffer); read > 0; read = stream.Read(buffer))
        {
            if (content.Length + read > limit)
            {
                return null;
            }

            content.Write(buffer, 0, read);
        }

        return content.Length == expected ? content.GetBuffer() : content.ToArray();
    }
}
