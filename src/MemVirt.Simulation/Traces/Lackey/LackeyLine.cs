using System.Text;

namespace MemVirt.Simulation.Traces.Lackey;

/// <summary>What a line of lackey's text turned out to be.</summary>
internal enum LackeyLineKind
{
    /// <summary>Blank, or Valgrind's own: nothing to simulate.</summary>
    Skipped,

    /// <summary>A fetch, a load or a store.</summary>
    Reference,

    /// <summary>A modify: a load, then a store.</summary>
    Modify,

    /// <summary>Not of the grammar.</summary>
    Malformed,

    /// <summary>Of the grammar, but its address is not canonical or its size cannot be.</summary>
    OutOfRange,
}

/// <summary>
/// One line of lackey's text, read the plain way; it is the grammar. <see cref="LackeyBlockParser"/> is the same for the
/// lines it knows, only faster, and leaves the others to this one.
/// </summary>
internal static class LackeyLine
{
    private const int PrefixBytes = 3;
    private const int QuotedBytes = 40;

    /// <summary>Reads a line that has no line feed any more.</summary>
    public static LackeyLineKind Parse(ReadOnlySpan<byte> line, out MemoryReference reference)
    {
        reference = default;
        line = line.EndsWith("\r"u8) ? line[..^1] : line;
        if (IsOfValgrind(line) || !line.ContainsAnyExcept(" \t"u8))
        {
            return LackeyLineKind.Skipped;
        }

        if (!TryParsePrefix(line, out ReferenceKind kind, out bool isModify))
        {
            return LackeyLineKind.Malformed;
        }

        line = line[PrefixBytes..];
        int comma = line.IndexOf((byte)',');
        if (comma < 1
            || !TryParseNumber(line[..comma], 16, out ulong address, out bool addressFits)
            || !TryParseNumber(line[(comma + 1)..], 10, out ulong size, out bool sizeFits))
        {
            return LackeyLineKind.Malformed;
        }

        if (!addressFits || !sizeFits || size > MemoryReference.MaxSizeBytes || !MemoryReference.IsValid(address, (long)size))
        {
            return LackeyLineKind.OutOfRange;
        }

        reference = new MemoryReference(kind, address, (int)size);
        return isModify ? LackeyLineKind.Modify : LackeyLineKind.Reference;
    }

    /// <summary>Whether a line is one of Valgrind's own messages.</summary>
    public static bool IsOfValgrind(ReadOnlySpan<byte> line) => line.StartsWith("=="u8) || line.StartsWith("--"u8);

    /// <summary>The start of a line as it can be shown on one line of a terminal.</summary>
    public static string Quote(ReadOnlySpan<byte> line)
    {
        line = line.EndsWith("\r"u8) ? line[..^1] : line;
        var quoted = new StringBuilder("\"");
        foreach (byte next in line[..Math.Min(line.Length, QuotedBytes)])
        {
            quoted.Append(next is >= (byte)' ' and <= (byte)'~' ? (char)next : '?');
        }

        return quoted.Append(line.Length > QuotedBytes ? "…\"" : "\"").ToString();
    }

    private static bool TryParsePrefix(ReadOnlySpan<byte> line, out ReferenceKind kind, out bool isModify)
    {
        isModify = line.StartsWith(" M "u8);
        kind = line.StartsWith("I  "u8) ? ReferenceKind.Fetch : line.StartsWith(" S "u8) ? ReferenceKind.Store : ReferenceKind.Load;
        return kind != ReferenceKind.Load || isModify || line.StartsWith(" L "u8);
    }

    /// <summary>Reads digits and nothing else; whether they fit in 64 bits is not part of the grammar.</summary>
    private static bool TryParseNumber(ReadOnlySpan<byte> digits, uint numberBase, out ulong value, out bool fits)
    {
        value = 0;
        fits = true;
        foreach (byte next in digits)
        {
            if (!char.IsAsciiHexDigit((char)next) || (numberBase == 10 && !char.IsAsciiDigit((char)next)))
            {
                return false;
            }

            uint digit = (next & 0xFu) + (next > '9' ? 9u : 0u);
            fits &= value <= (ulong.MaxValue - digit) / numberBase;
            value = (value * numberBase) + digit;
        }

        return !digits.IsEmpty;
    }
}
