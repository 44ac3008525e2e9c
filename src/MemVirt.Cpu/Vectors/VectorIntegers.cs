using System.Runtime.Intrinsics;
using Iced.Intel;

namespace MemVirt.Cpu.Vectors;

/// <summary>The integer instructions of SSE2 (and SSE's shuffles): destination and first source in place, second source at hand.</summary>
internal static unsafe class VectorIntegers
{
    /// <summary>Executes an instruction; false where it is none of these.</summary>
    /// <param name="mnemonic">Which.</param>
    /// <param name="d">The destination, 16 bytes.</param>
    /// <param name="s">The source, 16 bytes.</param>
    /// <param name="immediate">The immediate.</param>
    public static bool TryApply(Mnemonic mnemonic, byte* d, byte* s, int immediate)
    {
        Vector128<byte> a = Vector128.Load(d);
        Vector128<byte> b = Vector128.Load(s);
        Vector128<byte> result;
        switch (mnemonic)
        {
            case Mnemonic.Paddb: result = a + b; break;
            case Mnemonic.Paddw: result = (a.AsUInt16() + b.AsUInt16()).AsByte(); break;
            case Mnemonic.Paddd: result = (a.AsUInt32() + b.AsUInt32()).AsByte(); break;
            case Mnemonic.Paddq: result = (a.AsUInt64() + b.AsUInt64()).AsByte(); break;
            case Mnemonic.Psubb: result = a - b; break;
            case Mnemonic.Psubw: result = (a.AsUInt16() - b.AsUInt16()).AsByte(); break;
            case Mnemonic.Psubd: result = (a.AsUInt32() - b.AsUInt32()).AsByte(); break;
            case Mnemonic.Psubq: result = (a.AsUInt64() - b.AsUInt64()).AsByte(); break;
            case Mnemonic.Paddsb: result = Vector128.AddSaturate(a.AsSByte(), b.AsSByte()).AsByte(); break;
            case Mnemonic.Paddsw: result = Vector128.AddSaturate(a.AsInt16(), b.AsInt16()).AsByte(); break;
            case Mnemonic.Paddusb: result = Vector128.AddSaturate(a, b); break;
            case Mnemonic.Paddusw: result = Vector128.AddSaturate(a.AsUInt16(), b.AsUInt16()).AsByte(); break;
            case Mnemonic.Psubsb: result = Vector128.SubtractSaturate(a.AsSByte(), b.AsSByte()).AsByte(); break;
            case Mnemonic.Psubsw: result = Vector128.SubtractSaturate(a.AsInt16(), b.AsInt16()).AsByte(); break;
            case Mnemonic.Psubusb: result = Vector128.SubtractSaturate(a, b); break;
            case Mnemonic.Psubusw: result = Vector128.SubtractSaturate(a.AsUInt16(), b.AsUInt16()).AsByte(); break;
            case Mnemonic.Pmullw: result = (a.AsInt16() * b.AsInt16()).AsByte(); break;
            case Mnemonic.Pmulhw: result = MultiplyHigh(a, b, isSigned: true); break;
            case Mnemonic.Pmulhuw: result = MultiplyHigh(a, b, isSigned: false); break;
            case Mnemonic.Pmuludq: result = ((a.AsUInt64() & Vector128.Create(0xFFFF_FFFFUL)) * (b.AsUInt64() & Vector128.Create(0xFFFF_FFFFUL))).AsByte(); break;
            case Mnemonic.Pmaddwd: result = MultiplyAdd(a, b); break;
            case Mnemonic.Psadbw: result = SumOfDifferences(a, b); break;
            case Mnemonic.Pavgb: result = Average(a, b, 1); break;
            case Mnemonic.Pavgw: result = Average(a, b, 2); break;
            case Mnemonic.Pminub: result = Vector128.Min(a, b); break;
            case Mnemonic.Pmaxub: result = Vector128.Max(a, b); break;
            case Mnemonic.Pminsw: result = Vector128.Min(a.AsInt16(), b.AsInt16()).AsByte(); break;
            case Mnemonic.Pmaxsw: result = Vector128.Max(a.AsInt16(), b.AsInt16()).AsByte(); break;
            case Mnemonic.Pand or Mnemonic.Andps or Mnemonic.Andpd: result = a & b; break;
            case Mnemonic.Pandn or Mnemonic.Andnps or Mnemonic.Andnpd: result = ~a & b; break;
            case Mnemonic.Por or Mnemonic.Orps or Mnemonic.Orpd: result = a | b; break;
            case Mnemonic.Pxor or Mnemonic.Xorps or Mnemonic.Xorpd: result = a ^ b; break;
            case Mnemonic.Pcmpeqb: result = Vector128.Equals(a, b); break;
            case Mnemonic.Pcmpeqw: result = Vector128.Equals(a.AsInt16(), b.AsInt16()).AsByte(); break;
            case Mnemonic.Pcmpeqd: result = Vector128.Equals(a.AsInt32(), b.AsInt32()).AsByte(); break;
            case Mnemonic.Pcmpgtb: result = Vector128.GreaterThan(a.AsSByte(), b.AsSByte()).AsByte(); break;
            case Mnemonic.Pcmpgtw: result = Vector128.GreaterThan(a.AsInt16(), b.AsInt16()).AsByte(); break;
            case Mnemonic.Pcmpgtd: result = Vector128.GreaterThan(a.AsInt32(), b.AsInt32()).AsByte(); break;
            case Mnemonic.Punpcklbw: result = Interleave(a, b, 1, isHigh: false); break;
            case Mnemonic.Punpcklwd: result = Interleave(a, b, 2, isHigh: false); break;
            case Mnemonic.Punpckldq or Mnemonic.Unpcklps: result = Interleave(a, b, 4, isHigh: false); break;
            case Mnemonic.Punpcklqdq or Mnemonic.Unpcklpd: result = Interleave(a, b, 8, isHigh: false); break;
            case Mnemonic.Punpckhbw: result = Interleave(a, b, 1, isHigh: true); break;
            case Mnemonic.Punpckhwd: result = Interleave(a, b, 2, isHigh: true); break;
            case Mnemonic.Punpckhdq or Mnemonic.Unpckhps: result = Interleave(a, b, 4, isHigh: true); break;
            case Mnemonic.Punpckhqdq or Mnemonic.Unpckhpd: result = Interleave(a, b, 8, isHigh: true); break;
            case Mnemonic.Packsswb: result = Vector128.NarrowWithSaturation(a.AsInt16(), b.AsInt16()).AsByte(); break;
            case Mnemonic.Packssdw: result = Vector128.NarrowWithSaturation(a.AsInt32(), b.AsInt32()).AsByte(); break;
            case Mnemonic.Packuswb: result = PackUnsigned(a, b); break;
            case Mnemonic.Pshufd: result = Shuffle32(b, b, immediate); break;
            case Mnemonic.Shufps: result = Shuffle32(a, b, immediate); break;
            case Mnemonic.Shufpd:
                result = Vector128.Create(a.AsUInt64()[immediate & 1], b.AsUInt64()[immediate >> 1 & 1]).AsByte();
                break;
            case Mnemonic.Pshuflw: result = ShuffleWords(b, immediate, 0); break;
            case Mnemonic.Pshufhw: result = ShuffleWords(b, immediate, 4); break;
            case Mnemonic.Psllw: result = Shift(a, Count(b), 2, ShiftKind.Left); break;
            case Mnemonic.Pslld: result = Shift(a, Count(b), 4, ShiftKind.Left); break;
            case Mnemonic.Psllq: result = Shift(a, Count(b), 8, ShiftKind.Left); break;
            case Mnemonic.Psrlw: result = Shift(a, Count(b), 2, ShiftKind.Right); break;
            case Mnemonic.Psrld: result = Shift(a, Count(b), 4, ShiftKind.Right); break;
            case Mnemonic.Psrlq: result = Shift(a, Count(b), 8, ShiftKind.Right); break;
            case Mnemonic.Psraw: result = Shift(a, Count(b), 2, ShiftKind.Arithmetic); break;
            case Mnemonic.Psrad: result = Shift(a, Count(b), 4, ShiftKind.Arithmetic); break;
            case Mnemonic.Pslldq: result = ShiftBytes(a, (int)Math.Min(Count(b), 16)); break;
            case Mnemonic.Psrldq: result = ShiftBytes(a, -(int)Math.Min(Count(b), 16)); break;
            default: return false;
        }

        result.Store(d);
        return true;
    }

    private static ulong Count(Vector128<byte> source) => source.AsUInt64()[0];

    private static Vector128<byte> MultiplyHigh(Vector128<byte> a, Vector128<byte> b, bool isSigned)
    {
        Vector128<ushort> result = default;
        for (int i = 0; i < 8; i++)
        {
            int product = isSigned ? a.AsInt16()[i] * b.AsInt16()[i] : (int)(a.AsUInt16()[i] * (uint)b.AsUInt16()[i]);
            result = result.WithElement(i, (ushort)(product >> 16));
        }

        return result.AsByte();
    }

    private static Vector128<byte> MultiplyAdd(Vector128<byte> a, Vector128<byte> b)
    {
        Vector128<int> result = default;
        for (int i = 0; i < 4; i++)
        {
            int low = a.AsInt16()[2 * i] * b.AsInt16()[2 * i];
            int high = a.AsInt16()[(2 * i) + 1] * b.AsInt16()[(2 * i) + 1];
            result = result.WithElement(i, low + high);
        }

        return result.AsByte();
    }

    private static Vector128<byte> SumOfDifferences(Vector128<byte> a, Vector128<byte> b)
    {
        Vector128<ulong> result = default;
        for (int half = 0; half < 2; half++)
        {
            ulong sum = 0;
            for (int i = 0; i < 8; i++)
            {
                sum += (ulong)Math.Abs(a[(half * 8) + i] - b[(half * 8) + i]);
            }

            result = result.WithElement(half, sum);
        }

        return result.AsByte();
    }

    private static Vector128<byte> Average(Vector128<byte> a, Vector128<byte> b, int bytes)
    {
        if (bytes == 1)
        {
            for (int i = 0; i < 16; i++)
            {
                a = a.WithElement(i, (byte)((a[i] + b[i] + 1) >> 1));
            }

            return a;
        }

        Vector128<ushort> words = a.AsUInt16();
        for (int i = 0; i < 8; i++)
        {
            words = words.WithElement(i, (ushort)((words[i] + b.AsUInt16()[i] + 1) >> 1));
        }

        return words.AsByte();
    }

    private static Vector128<byte> Interleave(Vector128<byte> a, Vector128<byte> b, int bytes, bool isHigh)
    {
        byte* from1 = (byte*)&a;
        byte* from2 = (byte*)&b;
        Vector128<byte> result;
        var to = (byte*)&result;
        int start = isHigh ? 8 : 0;
        for (int i = 0; i < 8; i += bytes)
        {
            for (int j = 0; j < bytes; j++)
            {
                to[(2 * i) + j] = from1[start + i + j];
                to[(2 * i) + bytes + j] = from2[start + i + j];
            }
        }

        return result;
    }

    private static Vector128<byte> PackUnsigned(Vector128<byte> a, Vector128<byte> b)
    {
        Vector128<byte> result = default;
        for (int i = 0; i < 8; i++)
        {
            result = result.WithElement(i, (byte)Math.Clamp((int)a.AsInt16()[i], 0, 255));
            result = result.WithElement(i + 8, (byte)Math.Clamp((int)b.AsInt16()[i], 0, 255));
        }

        return result;
    }

    private static Vector128<byte> Shuffle32(Vector128<byte> low, Vector128<byte> high, int immediate)
        => Vector128.Create(
            low.AsUInt32()[immediate & 3], low.AsUInt32()[immediate >> 2 & 3], high.AsUInt32()[immediate >> 4 & 3],
            high.AsUInt32()[immediate >> 6 & 3]).AsByte();

    private static Vector128<byte> ShuffleWords(Vector128<byte> source, int immediate, int start)
    {
        Vector128<ushort> words = source.AsUInt16();
        Vector128<ushort> result = words;
        for (int i = 0; i < 4; i++)
        {
            result = result.WithElement(start + i, words[start + (immediate >> (2 * i) & 3)]);
        }

        return result.AsByte();
    }

    private static Vector128<byte> Shift(Vector128<byte> value, ulong count, int bytes, ShiftKind kind)
    {
        int bits = bytes * 8;
        int by = count >= (ulong)bits ? bits : (int)count;
        if (by == bits)
        {
            if (kind != ShiftKind.Arithmetic)
            {
                return default;
            }

            by = bits - 1;
        }

        return (bytes, kind) switch
        {
            (2, ShiftKind.Left) => (value.AsUInt16() << by).AsByte(),
            (4, ShiftKind.Left) => (value.AsUInt32() << by).AsByte(),
            (8, ShiftKind.Left) => (value.AsUInt64() << by).AsByte(),
            (2, ShiftKind.Right) => (value.AsUInt16() >> by).AsByte(),
            (4, ShiftKind.Right) => (value.AsUInt32() >> by).AsByte(),
            (8, ShiftKind.Right) => (value.AsUInt64() >> by).AsByte(),
            (2, _) => (value.AsInt16() >> by).AsByte(),
            _ => (value.AsInt32() >> by).AsByte(),
        };
    }

    private static Vector128<byte> ShiftBytes(Vector128<byte> value, int left)
    {
        UInt128 whole = new(value.AsUInt64()[1], value.AsUInt64()[0]);
        int bytes = Math.Abs(left);
        whole = bytes >= 16 ? 0 : left > 0 ? whole << (bytes * 8) : whole >> (bytes * 8);
        return Vector128.Create((ulong)whole, (ulong)(whole >> 64)).AsByte();
    }

    private enum ShiftKind
    {
        Left,
        Right,
        Arithmetic,
    }
}
