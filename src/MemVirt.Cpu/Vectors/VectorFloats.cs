using System.Numerics;
using Iced.Intel;
using MemVirt.Cpu.FloatingPoint.Arithmetic;

namespace MemVirt.Cpu.Vectors;

/// <summary>
/// The floating-point instructions of SSE, SSE2 and SSE3. What they meet is gathered in <see cref="Processor.SimdFlags"/>.
/// </summary>
internal static unsafe class VectorFloats
{
    private const uint DefaultNaN32 = 0xFFC0_0000;

    /// <summary>Whether an instruction is one of these.</summary>
    public static bool Knows(Mnemonic mnemonic)
        => mnemonic is Mnemonic.Addss or Mnemonic.Addps or Mnemonic.Addsd or Mnemonic.Addpd or Mnemonic.Subss or Mnemonic.Subps
            or Mnemonic.Subsd or Mnemonic.Subpd or Mnemonic.Mulss or Mnemonic.Mulps or Mnemonic.Mulsd or Mnemonic.Mulpd or Mnemonic.Divss
            or Mnemonic.Divps or Mnemonic.Divsd or Mnemonic.Divpd or Mnemonic.Minss or Mnemonic.Minps or Mnemonic.Minsd or Mnemonic.Minpd
            or Mnemonic.Maxss or Mnemonic.Maxps or Mnemonic.Maxsd or Mnemonic.Maxpd or Mnemonic.Sqrtss or Mnemonic.Sqrtps or Mnemonic.Sqrtsd
            or Mnemonic.Sqrtpd or Mnemonic.Rcpss or Mnemonic.Rcpps or Mnemonic.Rsqrtss or Mnemonic.Rsqrtps or Mnemonic.Cmpss
            or Mnemonic.Cmpps or Mnemonic.Cmpsd or Mnemonic.Cmppd or Mnemonic.Comiss or Mnemonic.Ucomiss or Mnemonic.Comisd
            or Mnemonic.Ucomisd or Mnemonic.Addsubps or Mnemonic.Addsubpd or Mnemonic.Haddps or Mnemonic.Hsubps or Mnemonic.Haddpd
            or Mnemonic.Hsubpd or Mnemonic.Cvtss2sd or Mnemonic.Cvtsd2ss or Mnemonic.Cvtps2pd or Mnemonic.Cvtpd2ps or Mnemonic.Cvtdq2ps
            or Mnemonic.Cvtdq2pd or Mnemonic.Cvtps2dq or Mnemonic.Cvttps2dq or Mnemonic.Cvtpd2dq or Mnemonic.Cvttpd2dq;

    /// <summary>Executes an instruction that is one of these.</summary>
    public static void Apply(Processor processor, Mnemonic mnemonic, byte* d, byte* s, int immediate)
    {
        switch (mnemonic)
        {
            case Mnemonic.Addss: FloatLanes<float>.Apply<AddOperation>(processor, d, s, 1); break;
            case Mnemonic.Addps: FloatLanes<float>.Apply<AddOperation>(processor, d, s, 4); break;
            case Mnemonic.Addsd: FloatLanes<double>.Apply<AddOperation>(processor, d, s, 1); break;
            case Mnemonic.Addpd: FloatLanes<double>.Apply<AddOperation>(processor, d, s, 2); break;
            case Mnemonic.Subss: FloatLanes<float>.Apply<SubtractOperation>(processor, d, s, 1); break;
            case Mnemonic.Subps: FloatLanes<float>.Apply<SubtractOperation>(processor, d, s, 4); break;
            case Mnemonic.Subsd: FloatLanes<double>.Apply<SubtractOperation>(processor, d, s, 1); break;
            case Mnemonic.Subpd: FloatLanes<double>.Apply<SubtractOperation>(processor, d, s, 2); break;
            case Mnemonic.Mulss: FloatLanes<float>.Apply<MultiplyOperation>(processor, d, s, 1); break;
            case Mnemonic.Mulps: FloatLanes<float>.Apply<MultiplyOperation>(processor, d, s, 4); break;
            case Mnemonic.Mulsd: FloatLanes<double>.Apply<MultiplyOperation>(processor, d, s, 1); break;
            case Mnemonic.Mulpd: FloatLanes<double>.Apply<MultiplyOperation>(processor, d, s, 2); break;
            case Mnemonic.Divss: FloatLanes<float>.Apply<DivideOperation>(processor, d, s, 1); break;
            case Mnemonic.Divps: FloatLanes<float>.Apply<DivideOperation>(processor, d, s, 4); break;
            case Mnemonic.Divsd: FloatLanes<double>.Apply<DivideOperation>(processor, d, s, 1); break;
            case Mnemonic.Divpd: FloatLanes<double>.Apply<DivideOperation>(processor, d, s, 2); break;
            case Mnemonic.Minss: FloatLanes<float>.Choose(processor, d, s, 1, FloatOrder.Less); break;
            case Mnemonic.Minps: FloatLanes<float>.Choose(processor, d, s, 4, FloatOrder.Less); break;
            case Mnemonic.Minsd: FloatLanes<double>.Choose(processor, d, s, 1, FloatOrder.Less); break;
            case Mnemonic.Minpd: FloatLanes<double>.Choose(processor, d, s, 2, FloatOrder.Less); break;
            case Mnemonic.Maxss: FloatLanes<float>.Choose(processor, d, s, 1, FloatOrder.Greater); break;
            case Mnemonic.Maxps: FloatLanes<float>.Choose(processor, d, s, 4, FloatOrder.Greater); break;
            case Mnemonic.Maxsd: FloatLanes<double>.Choose(processor, d, s, 1, FloatOrder.Greater); break;
            case Mnemonic.Maxpd: FloatLanes<double>.Choose(processor, d, s, 2, FloatOrder.Greater); break;
            case Mnemonic.Sqrtss: FloatLanes<float>.Apply<RootOperation>(processor, d, s, 1); break;
            case Mnemonic.Sqrtps: FloatLanes<float>.Apply<RootOperation>(processor, d, s, 4); break;
            case Mnemonic.Sqrtsd: FloatLanes<double>.Apply<RootOperation>(processor, d, s, 1); break;
            case Mnemonic.Sqrtpd: FloatLanes<double>.Apply<RootOperation>(processor, d, s, 2); break;
            case Mnemonic.Rcpss: Approximate(d, s, 1, isRoot: false); break;
            case Mnemonic.Rcpps: Approximate(d, s, 4, isRoot: false); break;
            case Mnemonic.Rsqrtss: Approximate(d, s, 1, isRoot: true); break;
            case Mnemonic.Rsqrtps: Approximate(d, s, 4, isRoot: true); break;
            case Mnemonic.Cmpss: FloatLanes<float>.Compare(processor, d, s, 1, immediate); break;
            case Mnemonic.Cmpps: FloatLanes<float>.Compare(processor, d, s, 4, immediate); break;
            case Mnemonic.Cmpsd: FloatLanes<double>.Compare(processor, d, s, 1, immediate); break;
            case Mnemonic.Cmppd: FloatLanes<double>.Compare(processor, d, s, 2, immediate); break;
            case Mnemonic.Comiss: SetFlags(processor, FloatLanes<float>.Order(processor, *(float*)d, *(float*)s, isQuiet: false)); break;
            case Mnemonic.Ucomiss: SetFlags(processor, FloatLanes<float>.Order(processor, *(float*)d, *(float*)s, isQuiet: true)); break;
            case Mnemonic.Comisd: SetFlags(processor, FloatLanes<double>.Order(processor, *(double*)d, *(double*)s, isQuiet: false)); break;
            case Mnemonic.Ucomisd: SetFlags(processor, FloatLanes<double>.Order(processor, *(double*)d, *(double*)s, isQuiet: true)); break;
            case Mnemonic.Addsubps: AddSubtract<float>(processor, d, s, 4); break;
            case Mnemonic.Addsubpd: AddSubtract<double>(processor, d, s, 2); break;
            case Mnemonic.Haddps: Horizontal32<AddOperation>(processor, d, s); break;
            case Mnemonic.Hsubps: Horizontal32<SubtractOperation>(processor, d, s); break;
            case Mnemonic.Haddpd: Horizontal64<AddOperation>(processor, d, s); break;
            case Mnemonic.Hsubpd: Horizontal64<SubtractOperation>(processor, d, s); break;
            case Mnemonic.Cvtss2sd: *(double*)d = FloatConversions.Widen(processor, *(float*)s); break;
            case Mnemonic.Cvtsd2ss: *(float*)d = FloatConversions.Narrow(processor, *(double*)s); break;
            case Mnemonic.Cvtps2pd:
                (*(double*)d, *(double*)(d + 8)) = (FloatConversions.Widen(processor, *(float*)s), FloatConversions.Widen(processor, *(float*)(s + 4)));
                break;
            case Mnemonic.Cvtpd2ps:
                (*(float*)d, *(float*)(d + 4), *(ulong*)(d + 8)) =
                    (FloatConversions.Narrow(processor, *(double*)s), FloatConversions.Narrow(processor, *(double*)(s + 8)), 0);
                break;
            case Mnemonic.Cvtdq2ps: FloatConversions.ToSingles(processor, d, s); break;
            case Mnemonic.Cvtdq2pd:
                (*(double*)d, *(double*)(d + 8)) = (*(int*)s, *(int*)(s + 4));
                break;
            case Mnemonic.Cvtps2dq: FloatConversions.SinglesToIntegers(processor, d, s, truncates: false); break;
            case Mnemonic.Cvttps2dq: FloatConversions.SinglesToIntegers(processor, d, s, truncates: true); break;
            case Mnemonic.Cvtpd2dq: FloatConversions.DoublesToIntegers(processor, d, s, truncates: false); break;
            case Mnemonic.Cvttpd2dq: FloatConversions.DoublesToIntegers(processor, d, s, truncates: true); break;
        }
    }

    /// <summary>RCP and RSQRT: within 1.5 × 2^-12; here they are exact to a float, cut to 12 bits.</summary>
    private static void Approximate(byte* d, byte* s, int lanes, bool isRoot)
    {
        for (int i = 0; i < lanes; i++)
        {
            uint bits = ((uint*)s)[i];
            float value = BitConverter.UInt32BitsToSingle(bits);
            if ((bits & 0x7F80_0000) == 0)
            {
                // Denormals count as zeros.
                value = (bits & 0x8000_0000) != 0 ? -0f : 0f;
            }

            float result = isRoot ? (float)(1 / Math.Sqrt(value)) : 1 / value;
            ((uint*)d)[i] = float.IsNaN(value) ? bits | 0x0040_0000
                : float.IsNaN(result) ? DefaultNaN32 : BitConverter.SingleToUInt32Bits(result);
        }
    }

    private static void SetFlags(Processor processor, FloatOrder order)
        => processor.Flags.Set(order switch
        {
            FloatOrder.Unordered => LazyFlags.Zero | LazyFlags.Parity | LazyFlags.Carry,
            FloatOrder.Less => LazyFlags.Carry,
            FloatOrder.Equal => LazyFlags.Zero,
            _ => 0,
        });

    private static void AddSubtract<T>(Processor processor, byte* d, byte* s, int lanes)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (int i = 0; i < lanes; i += 2)
        {
            ((T*)d)[i] = FloatLanes<T>.Apply<SubtractOperation>(processor, ((T*)d)[i], ((T*)s)[i]);
            ((T*)d)[i + 1] = FloatLanes<T>.Apply<AddOperation>(processor, ((T*)d)[i + 1], ((T*)s)[i + 1]);
        }
    }

    private static void Horizontal32<TOperation>(Processor processor, byte* d, byte* s)
        where TOperation : struct, IFloatOperation
    {
        float* a = (float*)d;
        float* b = (float*)s;
        (float r0, float r1) = (FloatLanes<float>.Apply<TOperation>(processor, a[0], a[1]), FloatLanes<float>.Apply<TOperation>(processor, a[2], a[3]));
        (float r2, float r3) = (FloatLanes<float>.Apply<TOperation>(processor, b[0], b[1]), FloatLanes<float>.Apply<TOperation>(processor, b[2], b[3]));
        (a[0], a[1], a[2], a[3]) = (r0, r1, r2, r3);
    }

    private static void Horizontal64<TOperation>(Processor processor, byte* d, byte* s)
        where TOperation : struct, IFloatOperation
    {
        double* a = (double*)d;
        double* b = (double*)s;
        (a[0], a[1]) = (FloatLanes<double>.Apply<TOperation>(processor, a[0], a[1]), FloatLanes<double>.Apply<TOperation>(processor, b[0], b[1]));
    }
}
