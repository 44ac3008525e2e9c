namespace MemVirt.Simulation.Traces.Input;

/// <summary>The constants of the .xz container (The .xz File Format 1.2.1).</summary>
internal static class XzFormat
{
    /// <summary>Bytes of a stream's header and of its footer (§2.1.1, §2.1.2).</summary>
    public const int StreamFrameBytes = 12;

    /// <summary>The filter of LZMA2 (§5.3.1).</summary>
    public const ulong Lzma2Filter = 0x21;

    /// <summary>
    /// The largest dictionary that is accepted, as its code in the header: 256 MiB, four times that of <c>xz -9</c>. It bounds
    /// the memory a file can ask for.
    /// </summary>
    public const int MaxDictionaryCode = 32;

    /// <summary>The first six bytes of a stream.</summary>
    public static ReadOnlySpan<byte> StreamMagic => [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0];

    /// <summary>The last two bytes of a stream.</summary>
    public static ReadOnlySpan<byte> FooterMagic => "YZ"u8;

    /// <summary>Bytes of a check by its number (§2.1.1.2).</summary>
    public static int CheckBytes(int check) => check == 0 ? 0 : 4 << ((check - 1) / 3);
}
