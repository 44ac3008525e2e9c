using System.Buffers.Binary;
using System.IO.Hashing;
using System.Security.Cryptography;

namespace MemVirt.Simulation.Traces.Input;

/// <summary>The check of a block's decompressed bytes, by the number in the stream's header.</summary>
internal sealed class XzCheck : IDisposable
{
    private const int NoneCheck = 0;
    private const int Crc32Check = 1;
    private const int Crc64Check = 4;
    private const int Sha256Check = 10;

    private readonly int _number;
    private readonly Crc32 _crc32 = new();
    private readonly Crc64Xz _crc64 = new();
    private readonly IncrementalHash _sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>A check by its number.</summary>
    /// <exception cref="NotSupportedException">The number is none of xz's own.</exception>
    public XzCheck(int number)
    {
        if (number is not (NoneCheck or Crc32Check or Crc64Check or Sha256Check))
        {
            throw new NotSupportedException($"its check type {number} is not known; compress again with `xz --check=crc64`");
        }

        _number = number;
    }

    /// <summary>Bytes of the check in the file.</summary>
    public int Bytes => XzFormat.CheckBytes(_number);

    /// <summary>Appends decompressed bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        switch (_number)
        {
            case Crc32Check:
                _crc32.Append(bytes);
                break;
            case Crc64Check:
                _crc64.Append(bytes);
                break;
            case Sha256Check:
                _sha256.AppendData(bytes);
                break;
        }
    }

    /// <summary>Whether <paramref name="expected"/> is the check of what was appended; starts afresh.</summary>
    public bool Matches(ReadOnlySpan<byte> expected)
    {
        Span<byte> actual = stackalloc byte[64];
        switch (_number)
        {
            case Crc32Check:
                BinaryPrimitives.WriteUInt32LittleEndian(actual, _crc32.GetCurrentHashAsUInt32());
                _crc32.Reset();
                break;
            case Crc64Check:
                BinaryPrimitives.WriteUInt64LittleEndian(actual, _crc64.Value);
                _crc64.Reset();
                break;
            case Sha256Check:
                _sha256.GetHashAndReset(actual);
                break;
        }

        return actual[..Bytes].SequenceEqual(expected);
    }

    /// <inheritdoc/>
    public void Dispose() => _sha256.Dispose();
}
