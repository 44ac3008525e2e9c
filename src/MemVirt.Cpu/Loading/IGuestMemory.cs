namespace MemVirt.Cpu.Loading;

/// <summary>
/// A guest's RAM as a loader fills it: all zero as it comes, laid out as <see cref="GuestMemoryMap"/> says. Loaders write inside its RAM
/// only.
/// </summary>
public interface IGuestMemory
{
    /// <summary>How much RAM there is, in bytes, the hole below 4 GiB not counted.</summary>
    ulong LengthBytes { get; }

    /// <summary>Copies bytes into RAM.</summary>
    /// <param name="gpa">The first byte's guest-physical address.</param>
    /// <param name="bytes">What to write; all of it lies in one range of RAM.</param>
    void Write(ulong gpa, ReadOnlySpan<byte> bytes);
}
