namespace MemVirt.Cpu.Loading;

/// <summary>A piece of a kernel: bytes of its file, and zeros after them.</summary>
/// <param name="Gpa">Where it goes.</param>
/// <param name="LengthBytes">What it takes there.</param>
/// <param name="FileOffset">Where its bytes are in the file.</param>
/// <param name="FileBytes">How many bytes there are; at most <paramref name="LengthBytes"/>.</param>
/// <param name="Described">The file offset of what describes it, for messages.</param>
internal readonly record struct ImageSegment(ulong Gpa, ulong LengthBytes, ulong FileOffset, ulong FileBytes, ulong Described)
{
    internal ulong End => Gpa + LengthBytes;

    internal bool Contains(ulong gpa) => gpa >= Gpa && gpa < End;

    internal bool Overlaps(ulong start, ulong end) => start < End && Gpa < end;
}
