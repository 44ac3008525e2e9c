namespace MemVirt.Cpu.Decoding;

/// <summary>What is known of an instruction besides its operands.</summary>
[Flags]
internal enum OpTraits : byte
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The memory operand is of the stack segment: an address that is not canonical is #SS (Intel SDM Vol. 1 §3.3.7.1).</summary>
    Stack = 1,

    /// <summary>REP or REPE.</summary>
    Repeat = 2,

    /// <summary>REPNE.</summary>
    RepeatNotEqual = 4,

    /// <summary>The memory operand is one, where the handler serves registers too.</summary>
    Memory = 8,

    /// <summary>The instruction was decoded in 64-bit mode.</summary>
    Long = 16,

    /// <summary>A near branch of operand size 16: the instruction pointer keeps 16 bits (Intel SDM Vol. 2 "JMP").</summary>
    Branch16 = 32,
}
