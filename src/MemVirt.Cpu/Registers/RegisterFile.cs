using Iced.Intel;

namespace MemVirt.Cpu;

/// <summary>
/// Where registers lie in a processor's register file, in bytes. Besides the general registers it holds what address arithmetic
/// adds: the block's RIP, a zero, and the segments' bases.
/// </summary>
internal static class RegisterFile
{
    public const int Rax = 0;
    public const int Rcx = 8;
    public const int Rdx = 16;
    public const int Rbx = 24;
    public const int Rsp = 32;
    public const int Rbp = 40;
    public const int Rsi = 48;
    public const int Rdi = 56;
    public const int R8 = 64;
    public const int R11 = 88;

    /// <summary>RIP of the block's first instruction.</summary>
    public const int BlockRip = 128;

    /// <summary>Always 0.</summary>
    public const int Zero = 136;

    /// <summary>Bases of ES, CS, SS, DS, FS and GS.</summary>
    public const int SegmentBases = 144;

    /// <summary>Bytes of the general part.</summary>
    public const int Bytes = 192;

    /// <summary>The offset of a general register of any width.</summary>
    public static byte OffsetOf(Register register)
    {
        if (register is >= Register.AH and <= Register.BH)
        {
            return (byte)(((register - Register.AH) * 8) + 1);
        }

        int number = register switch
        {
            >= Register.AL and <= Register.BL => register - Register.AL,
            >= Register.SPL and <= Register.R15L => register - Register.SPL + 4,
            >= Register.AX and <= Register.R15W => register - Register.AX,
            >= Register.EAX and <= Register.R15D => register - Register.EAX,
            >= Register.RAX and <= Register.R15 => register - Register.RAX,
            _ => throw new ArgumentOutOfRangeException(nameof(register), register, "No general register."),
        };
        return (byte)(number * 8);
    }

    /// <summary>The offset of a segment's base.</summary>
    public static byte BaseOf(SegmentName segment) => (byte)(SegmentBases + ((int)segment * 8));
}
