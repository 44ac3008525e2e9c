using Iced.Intel;
using MemVirt.Cpu.FloatingPoint;
using MemVirt.Cpu.Tests.Execution;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.FloatingPoint;

/// <summary>MMX, and what it does to the x87 unit whose registers it has.</summary>
public sealed class MmxTests
{
    private const ulong Data = CodeGuest.Data;

    [Fact]
    public void Registers_are_the_significands_wherever_the_top_is()
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.fld1();
            a.fldpi();
            a.movq(rbx, mm7); // pushed first, as the top went from 0 to 7
            a.mov(rax, 0x0102_0304_0506_0708);
            a.movq(mm3, rax);
            a.fnstenv(__[Data]);
            a.hlt();
        });
        Assert.Equal(1UL << 63, guest.Run()[Register.RBX]);
        FloatingPointUnit unit = guest.Machine.Processor.FloatingPoint;
        Assert.Equal((0, (byte)0xFF), (unit.Top, unit.Tags));
        Assert.Equal((0x0102_0304_0506_0708UL, (ushort)0xFFFF), (unit[3].Significand, unit[3].SignAndExponent));
    }

    [Fact]
    public void Emms_leaves_every_register_empty()
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.pxor(mm0, mm0);
            a.emms();
            a.fld1(); // no stack fault
            a.fnstsw(ax);
            a.hlt();
        });
        Assert.Equal(0x3800UL, guest.Run()[Register.RAX]);
    }

    [Fact]
    public void A_waiting_exception_comes_first()
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.fldcw(__word_ptr[Data]);
            a.fldz();
            a.fld1();
            a.fdiv(st0, st1);
            a.pxor(mm0, mm0);
            a.hlt();
        });
        guest.Write(Data, 0x37B);
        Assert.Equal(GuestStop.TripleFault, guest.Machine.Run(1000));
        Assert.Equal(1, guest.Machine.Processor.Statistics.Vectors[16]);
    }

    [Fact]
    public void Masked_bytes_alone_are_written()
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.movq(mm1, __qword_ptr[Data]);
            a.movq(mm2, __qword_ptr[Data + 8]);
            a.mov(edi, (int)Data + 16);
            a.maskmovq(mm1, mm2);
            a.hlt();
        });
        guest.Write(Data, 0x8877_6655_4433_2211);
        guest.Write(Data + 8, 0x8000_0080_7F00_80FF);
        guest.Write(Data + 16, 0);
        Assert.Equal(0x8800_0055_0000_2211UL, guest.Run().Read(Data + 16));
    }

    [Fact]
    public void With_emulation_it_is_undefined()
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.mov(rax, cr0);
            a.or(eax, 4);
            a.mov(cr0, rax);
            a.emms();
            a.hlt();
        });
        Assert.Equal(GuestStop.TripleFault, guest.Machine.Run(1000));
        Assert.Equal(1, guest.Machine.Processor.Statistics.Vectors[6]);
    }
}
