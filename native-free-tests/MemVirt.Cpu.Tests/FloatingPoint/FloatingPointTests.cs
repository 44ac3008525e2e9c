using Iced.Intel;
using MemVirt.Cpu.Tests.Execution;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.FloatingPoint;

/// <summary>x87 and SSE floating point as programs see it.</summary>
public sealed class FloatingPointTests
{
    private const ulong Data = CodeGuest.Data;
    private const ulong Area = Data + 0x400;

    [Fact]
    public void A_polynomial_on_the_stack_has_80_bits_between()
    {
        // (2^60 + 1) - 2^60 is 1 with a significand of 64 bits, 0 with one of 53.
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.fild(__qword_ptr[Data]);
            a.fild(__qword_ptr[Data + 8]);
            a.fsubp(st1, st0);
            a.fistp(__qword_ptr[Data + 16]);
            a.hlt();
        });
        guest.Write(Data, (1UL << 60) + 1);
        guest.Write(Data + 8, 1UL << 60);
        Assert.Equal(1UL, guest.Run().Read(Data + 16));
    }

    [Fact]
    public void Precision_control_cuts_results()
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.fldcw(__word_ptr[Data + 8]);
            a.fld1();
            a.fild(__dword_ptr[Data]);
            a.fdivp(st1, st0);
            a.fnstsw(ax);
            a.fstp(__tword_ptr[Data + 16]);
            a.hlt();
        });
        guest.Write(Data, 3);
        guest.Write(Data + 8, 0x07F); // 24 bits, to nearest
        Assert.Equal(0xAAAA_AB00_0000_0000, guest.Run().Read(Data + 16));
        Assert.Equal(0x3FFDUL, guest.Read(Data + 24) & 0xFFFF);
        Assert.Equal(0x220UL, guest[Register.RAX] & 0x220); // inexact, rounded up
    }

    [Fact]
    public void An_exception_that_is_not_masked_waits_for_the_next_instruction_that_waits()
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.fninit();
            a.fldcw(__word_ptr[Data]);
            a.fld1();
            a.fldz();
            a.fdivp(st1, st0);
            a.fnstsw(ax);
            a.wait();
            a.hlt();
        });
        guest.Write(Data, 0x37B); // all but #Z masked
        Assert.Equal(GuestStop.TripleFault, guest.Machine.Run(1000));
        Assert.Equal(0x8084UL, guest[Register.RAX] & 0x80FF);
        Assert.Equal(1, guest.Machine.Processor.Statistics.Vectors[16]);
        Assert.Equal(2, System.Numerics.BitOperations.PopCount(guest.Machine.Processor.FloatingPoint.Tags)); // nothing was popped
    }

    [Fact]
    public void The_stack_overflows_and_underflows_into_the_indefinite()
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.fninit();
            for (int i = 0; i < 9; i++)
            {
                a.fld1();
            }

            a.fnstsw(ax);
            a.fstp(__qword_ptr[Data]);
            a.hlt();
        }).Run();
        Assert.Equal(0x0241UL, guest[Register.RAX] & 0x02FF);
        Assert.Equal(0xFFF8_0000_0000_0000, guest.Read(Data));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_saved_comes_back(bool isEnvironment)
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.fninit();
            a.fldpi();
            a.fld1();
            a.fldz();
            if (isEnvironment)
            {
                a.fnstenv(__[Area]);
                a.fldenv(__[Area]);
            }
            else
            {
                a.fnsave(__[Area]);
                a.frstor(__[Area]);
            }

            a.fstp(__qword_ptr[Data]);
            a.fstp(__qword_ptr[Data + 8]);
            a.fstp(__qword_ptr[Data + 16]);
            a.fnstsw(ax);
            a.hlt();
        }).Run();
        Assert.Equal(0UL, guest.Read(Data));
        Assert.Equal(1.0, BitConverter.UInt64BitsToDouble(guest.Read(Data + 8)));
        Assert.Equal(Math.PI, BitConverter.UInt64BitsToDouble(guest.Read(Data + 16)));
        Assert.Equal(0UL, guest[Register.RAX] & 0x3841);

        // The tag word: ST(0) is 0, the two below are numbers, five are empty.
        Assert.Equal(0xFFFF_07FFUL, guest.Read(Area + 8) & 0xFFFF_FFFF);
        Assert.Equal(0xFFFF_037FUL, guest.Read(Area) & 0xFFFF_FFFF);
    }

    [Fact]
    public void Eighteen_digits_come_back()
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.fild(__qword_ptr[Data]);
            a.fbstp(__tword_ptr[Data + 16]);
            a.fbld(__tword_ptr[Data + 16]);
            a.fistp(__qword_ptr[Data + 8]);
            a.hlt();
        });
        guest.Write(Data, unchecked((ulong)-123_456_789_012_345_678L));
        Assert.Equal(-123_456_789_012_345_678L, (long)guest.Run().Read(Data + 8));
        Assert.Equal(0x3456_7890_1234_5678UL, guest.Read(Data + 16));
        Assert.Equal(0x8012UL, guest.Read(Data + 24) & 0xFFFF);
    }

    [Theory]
    [InlineData(0x400, 19)]
    [InlineData(0, 6)]
    public void A_division_by_zero_that_is_not_masked_leaves_the_destination(int osXmmExcept, int vector)
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.mov(rax, cr4);
            a.and(eax, ~0x400);
            a.or(eax, osXmmExcept);
            a.mov(cr4, rax);
            a.ldmxcsr(__dword_ptr[Data]);
            a.movupd(xmm1, __xmmword_ptr[Data + 16]);
            a.divpd(xmm1, __xmmword_ptr[Data + 32]);
            a.hlt();
        });
        guest.Write(Data, 0x1D80); // all but #Z masked
        guest.Write(Data + 16, BitConverter.DoubleToUInt64Bits(1));
        guest.Write(Data + 24, BitConverter.DoubleToUInt64Bits(2));
        guest.Write(Data + 32, BitConverter.DoubleToUInt64Bits(3));
        Assert.Equal(GuestStop.TripleFault, guest.Machine.Run(1000));
        Processor processor = guest.Machine.Processor;
        Assert.Equal(1, processor.Statistics.Vectors[vector]);

        // 1/3 is inexact, which the other lane's exception from before the computation hides.
        Assert.Equal(0x1D84u, processor.Mxcsr);
        unsafe
        {
            Assert.Equal((1.0, 2.0), (((double*)processor.X)[2], ((double*)processor.X)[3]));
        }
    }

    [Fact]
    public void Rounding_and_flags_of_mxcsr_are_kept()
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.ldmxcsr(__dword_ptr[Data]);
            a.movsd(xmm0, __qword_ptr[Data + 8]);
            a.divsd(xmm0, __qword_ptr[Data + 16]);
            a.movsd(__qword_ptr[Data + 24], xmm0);
            a.stmxcsr(__dword_ptr[Data]);
            a.hlt();
        });
        guest.Write(Data, 0x5F80); // up
        guest.Write(Data + 8, BitConverter.DoubleToUInt64Bits(1));
        guest.Write(Data + 16, BitConverter.DoubleToUInt64Bits(3));
        guest.Run();
        Assert.Equal(Math.BitIncrement(1.0 / 3), BitConverter.UInt64BitsToDouble(guest.Read(Data + 24)));
        Assert.Equal(0x5FA0UL, guest.Read(Data) & 0xFFFF);
    }

    [Theory]
    [InlineData(1 << 2)]
    [InlineData(1 << 3)]
    public void Cr0_em_and_ts_make_it_not_available(int bit)
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.mov(rax, cr0);
            a.or(eax, bit);
            a.mov(cr0, rax);
            a.fninit();
            a.hlt();
        });
        Assert.Equal(GuestStop.TripleFault, guest.Machine.Run(1000));
        Assert.Equal(1, guest.Machine.Processor.Statistics.Vectors[7]);
    }
}
