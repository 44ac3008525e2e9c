using MemVirt.Core.Memory;

namespace MemVirt.Cpu.Loading;

/// <summary>A guest's RAM inside a <see cref="SparseMemory"/>, whose 4 KiB frames may lie anywhere in it.</summary>
/// <param name="memory">Where the bytes are kept.</param>
/// <param name="lengthBytes">How much RAM the guest has, in bytes.</param>
/// <param name="resolve">
/// The address in <paramref name="memory"/> of a guest-physical frame, both multiples of 4 KiB; null where they are the same.
/// </param>
public sealed class SparseGuestMemory(SparseMemory memory, ulong lengthBytes, Func<ulong, ulong>? resolve = null) : IGuestMemory
{
    private const ulong OffsetMask = 0xFFF;

    private readonly GuestMemoryMap _map = GuestMemoryMap.Of(lengthBytes);

    /// <inheritdoc/>
    public ulong LengthBytes { get; } = lengthBytes;

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">Some of the bytes would lie outside the guest's RAM.</exception>
    public void Write(ulong gpa, ReadOnlySpan<byte> bytes)
    {
        if (!_map.IsBacked(gpa, (ulong)bytes.Length))
        {
            throw new ArgumentOutOfRangeException(nameof(gpa), $"0x{gpa:x} and {bytes.Length} bytes from there are not all RAM.");
        }

        while (!bytes.IsEmpty)
        {
            ulong offset = gpa & OffsetMask;
            int piece = (int)Math.Min((ulong)bytes.Length, OffsetMask + 1 - offset);
            ulong frame = gpa - offset;
            bytes[..piece].CopyTo(memory.InFrame((resolve is null ? frame : resolve(frame)) + offset, piece));
            bytes = bytes[piece..];
            gpa += (ulong)piece;
        }
    }
}
