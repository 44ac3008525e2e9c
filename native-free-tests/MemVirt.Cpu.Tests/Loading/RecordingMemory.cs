using MemVirt.Cpu.Loading;

namespace MemVirt.Cpu.Tests.Loading;

/// <summary>RAM that remembers what was written and fails where a write is not all inside it.</summary>
internal sealed class RecordingMemory(ulong lengthBytes) : IGuestMemory
{
    private const ulong Gigabyte = 1UL << 30;
    private readonly List<(ulong Gpa, byte[] Bytes)> _writes = [];

    public ulong LengthBytes => lengthBytes;

    internal IReadOnlyList<(ulong Gpa, byte[] Bytes)> Writes => _writes;

    public void Write(ulong gpa, ReadOnlySpan<byte> bytes)
    {
        ulong end = checked(gpa + (ulong)bytes.Length);
        ulong low = Math.Min(lengthBytes, 3 * Gigabyte);
        Assert.True(end <= low || (gpa >= 4 * Gigabyte && end <= Gigabyte + lengthBytes), $"0x{gpa:x} to 0x{end:x} is not RAM");
        _writes.Add((gpa, bytes.ToArray()));
    }

    internal byte[] Read(ulong gpa, int lengthBytes)
    {
        var bytes = new byte[lengthBytes];
        foreach ((ulong start, byte[] written) in _writes)
        {
            for (int i = 0; i < written.Length; i++)
            {
                ulong at = start + (ulong)i - gpa;
                if (at < (ulong)lengthBytes)
                {
                    bytes[at] = written[i];
                }
            }
        }

        return bytes;
    }

    internal byte U8(ulong gpa) => Read(gpa, 1)[0];

    internal uint U32(ulong gpa) => BitConverter.ToUInt32(Read(gpa, 4));

    internal ulong U64(ulong gpa) => BitConverter.ToUInt64(Read(gpa, 8));

    internal string Text(ulong gpa)
    {
        byte[] bytes = Read(gpa, 4096);
        return System.Text.Encoding.UTF8.GetString(bytes, 0, Array.IndexOf(bytes, (byte)0));
    }
}
