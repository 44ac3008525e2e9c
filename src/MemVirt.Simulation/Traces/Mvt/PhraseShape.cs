namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>
/// The byte that describes one reference of a phrase's definition: bits 1:0 the kind, bits 7:2 the size in bytes, or 0 where
/// the size is over 63 and stands in the column of wide sizes.
/// </summary>
internal static class PhraseShape
{
    /// <summary>The largest size the byte itself holds.</summary>
    public const int MaxNarrowSize = 63;

    /// <summary>The byte for a reference.</summary>
    public static byte Of(MemoryReference reference)
    {
        int size = reference.SizeBytes <= MaxNarrowSize ? reference.SizeBytes : 0;
        return (byte)((int)reference.Kind | (size << 2));
    }

    /// <summary>The kind in the byte; 3 is none and means damage.</summary>
    public static int Kind(byte shape) => shape & 3;

    /// <summary>The size in the byte; 0 says it stands in the column of wide sizes.</summary>
    public static int Size(byte shape) => shape >> 2;
}
