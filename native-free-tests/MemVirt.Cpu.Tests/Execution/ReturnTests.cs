using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.Execution;

/// <summary>Returns to an outer level (Intel SDM Vol. 3A §5.8.6).</summary>
public sealed class ReturnTests
{
    private const int GeneralProtection = 13;

    [Fact]
    public void A_data_segment_that_the_outer_level_may_not_have_becomes_null_and_keeps_its_base()
    {
        using var guest = new HandlerGuest(a =>
        {
            Label outer = a.CreateLabel();
            a.mov(rax, 0x1234_5678);
            a.mov(__[CodeGuest.Data], rax);
            a.mov(eax, HandlerGuest.Data);
            a.mov(gs, ax);
            HandlerGuest.WriteMsr(a, 0xC000_0101, CodeGuest.Data - 0x100);
            a.push(HandlerGuest.UserCode64 - 8);
            a.push((int)CodeGuest.StackTop);
            a.push(2);
            a.push(HandlerGuest.UserCode64);
            a.lea(rax, __[outer]);
            a.push(rax);
            a.iretq();
            a.Label(ref outer);
            a.mov(rbx, __qword_ptr.gs[0x100]);
            a.mov(ecx, gs);
            a.hlt();
        });
        guest.On(GeneralProtection, a => a.hlt()).Run();
        Assert.Equal((0x1234_5678UL, 0UL), (guest[Register.RBX], guest[Register.RCX]));
    }
}
