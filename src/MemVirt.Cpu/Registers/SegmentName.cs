namespace MemVirt.Cpu;

/// <summary>The segment registers, numbered as instructions encode them (Intel SDM Vol. 2 table B-8).</summary>
internal enum SegmentName : byte
{
    /// <summary>ES.</summary>
    Es,

    /// <summary>CS.</summary>
    Cs,

    /// <summary>SS.</summary>
    Ss,

    /// <summary>DS.</summary>
    Ds,

    /// <summary>FS.</summary>
    Fs,

    /// <summary>GS.</summary>
    Gs,
}
