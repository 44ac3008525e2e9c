namespace MemVirt.Cpu.Decoding;

/// <summary>
/// Instructions decoded from one frame, in a row: entered at the first, left at a branch that is taken or at the end. Only a block of
/// a single instruction may reach into a second page.
/// </summary>
internal unsafe struct Block
{
    /// <summary>The instructions, and one more that leaves the block.</summary>
    public Op* Ops;

    /// <summary>The host-physical address of the first byte, with the mode it was decoded for in bits 63:52.</summary>
    public ulong Key;

    /// <summary>The host frame of the second page, or <see cref="NoFrame"/>.</summary>
    public ulong SecondFrame;

    /// <summary>The next block of the frame.</summary>
    public Block* NextOfFrame;

    /// <summary>Instructions.</summary>
    public int Count;

    /// <summary>Operations before the first instruction, which check what it is about to do.</summary>
    public int Checks;

    /// <summary>Bytes.</summary>
    public int Length;

    /// <summary>No second page.</summary>
    public const ulong NoFrame = ulong.MaxValue;
}
