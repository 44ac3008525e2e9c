using Iced.Intel;

namespace MemVirt.Cpu.Vectors;

/// <summary>MMX's arithmetic: that of SSE2 in the lower half, where packing and unpacking take their operands from both.</summary>
internal static unsafe class MmxIntegers
{
    /// <summary>Executes an instruction; false where it is none of these.</summary>
    /// <param name="mnemonic">Which.</param>
    /// <param name="d">The destination and first source.</param>
    /// <param name="s">The second source.</param>
    /// <param name="immediate">The immediate.</param>
    public static bool TryApply(Mnemonic mnemonic, ref ulong d, ulong s, int immediate)
    {
        ulong* first = stackalloc ulong[2];
        ulong* second = stackalloc ulong[2];
        (first[0], first[1]) = (d, 0);
        (second[0], second[1]) = (s, 0);
        Mnemonic whole = mnemonic;
        int half = 0;
        switch (mnemonic)
        {
            case Mnemonic.Packsswb or Mnemonic.Packssdw or Mnemonic.Packuswb:
                (first[1], second[0]) = (s, 0);
                break;
            case Mnemonic.Punpckhbw:
                (whole, half) = (Mnemonic.Punpcklbw, 1);
                break;
            case Mnemonic.Punpckhwd:
                (whole, half) = (Mnemonic.Punpcklwd, 1);
                break;
            case Mnemonic.Punpckhdq:
                (whole, half) = (Mnemonic.Punpckldq, 1);
                break;
            case Mnemonic.Pshufw:
                whole = Mnemonic.Pshuflw;
                break;
        }

        if (!VectorIntegers.TryApply(whole, (byte*)first, (byte*)second, immediate))
        {
            return false;
        }

        d = first[half];
        return true;
    }
}
