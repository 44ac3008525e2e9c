using System.Runtime.InteropServices;

namespace MemVirt.Cpu.Decoding;

/// <summary>
/// A decoded instruction: what executes it, and its operands as that wants them. Registers are byte offsets into the register file
/// (<see cref="RegisterFile"/>), so that AH is AL's offset plus one and an absent base or index is a register that is always 0.
/// One cache line, in native memory, unchanging while its block lives, but for <see cref="Handler"/> and <see cref="Link"/>.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal unsafe struct Op
{
    /// <summary>Executes the instruction; returns the next of the block, or null where the block is left with RIP set.</summary>
    [FieldOffset(0)]
    public delegate*<Processor, Op*, Op*> Handler;

    /// <summary>Displacement of the memory operand; of a RIP-relative one, from the start of the block.</summary>
    [FieldOffset(8)]
    public ulong Displacement;

    /// <summary>Immediate, sign-extended as the instruction does; of a near branch, the target from the start of the block.</summary>
    [FieldOffset(16)]
    public ulong Immediate;

    /// <summary>All ones, 32 ones or 16 ones: the address size.</summary>
    [FieldOffset(24)]
    public ulong AddressMask;

    /// <summary>Register written, and read where the instruction does both.</summary>
    [FieldOffset(32)]
    public byte Destination;

    /// <summary>Register read.</summary>
    [FieldOffset(33)]
    public byte Source;

    /// <summary>Base register of the memory operand.</summary>
    [FieldOffset(34)]
    public byte Base;

    /// <summary>Index register of the memory operand.</summary>
    [FieldOffset(35)]
    public byte Index;

    /// <summary>Log2 of the index's scale.</summary>
    [FieldOffset(36)]
    public byte Scale;

    /// <summary>Register that holds the segment's base.</summary>
    [FieldOffset(37)]
    public byte Segment;

    /// <summary>Operand size in bytes, where the handler is not one of a size.</summary>
    [FieldOffset(38)]
    public byte Size;

    /// <summary>What else is known of it.</summary>
    [FieldOffset(39)]
    public OpTraits Traits;

    /// <summary>Bytes from the start of the block to the instruction.</summary>
    [FieldOffset(40)]
    public ushort Offset;

    /// <summary>Bytes from the start of the block to the next instruction.</summary>
    [FieldOffset(42)]
    public ushort Next;

    /// <summary>Instructions of the block after this one.</summary>
    [FieldOffset(44)]
    public ushort After;

    /// <summary>A number the handler knows the meaning of: a condition, a vector, a control register.</summary>
    [FieldOffset(46)]
    public ushort Detail;

    /// <summary>Of a branch within the page: the block at its target, once it is known.</summary>
    [FieldOffset(48)]
    public Block* Link;

    /// <summary>A second immediate, or what a rare handler keeps.</summary>
    [FieldOffset(56)]
    public ulong Extra;
}
