using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.Execution;

/// <summary>Between which instructions interrupts come (Intel SDM Vol. 3A §6.7, §6.8).</summary>
public sealed class InterruptWindowTests
{
    private const byte Vector = 0x41;
    private const int NonMaskable = 2;

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 1)]
    public void An_interrupt_that_waits_comes_one_instruction_after_STI(bool isWindow, int times)
    {
        using var guest = new HandlerGuest(a =>
        {
            HandlerGuest.EnableX2Apic(a);
            HandlerGuest.WriteMsr(a, 0x83F, Vector);
            a.sti();
            if (isWindow)
            {
                a.nop();
            }

            a.cli();
            a.nop();
            a.hlt();
        });
        guest.On(Vector, HandlerGuest.CountInterrupt).Run();
        Assert.Equal((ulong)times, guest[Register.RBX]);
    }

    [Fact]
    public void A_load_of_SS_does_not_hold_back_what_STI_has_held_back()
    {
        using var guest = new HandlerGuest(a =>
        {
            a.mov(r9d, HandlerGuest.Data);
            HandlerGuest.EnableX2Apic(a);
            HandlerGuest.WriteMsr(a, 0x83F, Vector);
            a.sti();
            a.nop();
            a.mov(ss, r9d);
            a.cli();
            a.hlt();
        });
        guest.On(Vector, HandlerGuest.CountInterrupt).Run();
        Assert.Equal(1UL, guest[Register.RBX]);
    }

    [Theory]
    [InlineData(0x83F, 0, Vector)]
    [InlineData(0x6E0, 0x4_0000 | Vector, 1)]
    public void What_WRMSR_asks_the_local_APIC_for_comes_after_it(uint number, uint timer, ulong value)
    {
        using var guest = new HandlerGuest(a =>
        {
            HandlerGuest.EnableX2Apic(a);
            HandlerGuest.WriteMsr(a, 0x832, timer == 0 ? 0x1_0000 : timer);
            a.sti();
            a.nop();
            HandlerGuest.WriteMsr(a, number, value);
            a.mov(r8, rbx);
            a.nop();
            a.nop();
            a.nop();
            a.cli();
            a.hlt();
        });
        guest.On(Vector, HandlerGuest.CountInterrupt).Run();
        Assert.Equal((1UL, 1UL), (guest[Register.RBX], guest[Register.R8]));
    }

    [Fact]
    public void One_NMI_waits_while_another_is_served()
    {
        using var guest = new HandlerGuest(a =>
        {
            HandlerGuest.EnableX2Apic(a);
            HandlerGuest.WriteMsr(a, 0x830, 0x4400);
            a.mov(r8, rbx);
            a.hlt();
        });
        guest.On(NonMaskable, a =>
        {
            Label done = a.CreateLabel();
            a.inc(rbx);
            a.cmp(rbx, 1);
            a.jne(done);
            HandlerGuest.WriteMsr(a, 0x830, 0x4400);
            HandlerGuest.WriteMsr(a, 0x830, 0x4400);
            a.mov(r9, rbx);
            a.Label(ref done);
            a.iretq();
        }).Run();
        Assert.Equal((2UL, 2UL, 1UL), (guest[Register.RBX], guest[Register.R8], guest[Register.R9]));
    }
}
