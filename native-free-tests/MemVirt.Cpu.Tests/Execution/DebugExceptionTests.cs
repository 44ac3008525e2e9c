using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.Execution;

/// <summary>Debug exceptions: when they come, how often, and what DR6 says of them (Intel SDM Vol. 3B §17.2, §17.3).</summary>
public sealed class DebugExceptionTests
{
    private const int Debug = 1;
    private const uint Trap = 1 << 8;

    [Fact]
    public void A_breakpoint_is_met_once_where_its_handler_sets_RF()
    {
        using var guest = new HandlerGuest(a =>
        {
            Label target = a.CreateLabel();
            a.lea(rax, __[target]);
            a.mov(dr0, rax);
            a.mov(eax, 0x402);
            a.mov(dr7, rax);
            a.Label(ref target);
            a.inc(rcx);
            a.hlt();
        });
        guest.On(Debug, Resume).Run();
        Assert.Equal((1UL, 1UL), (guest[Register.RBX], guest[Register.RCX]));
        Assert.Equal(0xFFFF_0FF1UL, guest[Register.R8]);
    }

    [Fact]
    public void A_breakpoint_on_a_repeated_instruction_is_met_before_its_first_step_alone()
    {
        using var guest = new HandlerGuest(a =>
        {
            Label target = a.CreateLabel();
            a.lea(rax, __[target]);
            a.mov(dr0, rax);
            a.mov(eax, 0x402);
            a.mov(dr7, rax);
            a.mov(edi, (uint)CodeGuest.Data);
            a.mov(ecx, 5);
            a.Label(ref target);
            a.rep.stosb();
            a.hlt();
        });
        guest.On(Debug, Resume).Run();
        Assert.Equal((1UL, CodeGuest.Data + 5), (guest[Register.RBX], guest[Register.RDI]));
    }

    [Fact]
    public void DR6_names_the_breakpoints_anew_and_keeps_the_rest()
    {
        using var guest = new HandlerGuest(a =>
        {
            Label target = a.CreateLabel();
            a.lea(rax, __[target]);
            a.mov(dr2, rax);
            a.mov(eax, 0x420);
            a.mov(dr7, rax);
            a.mov(eax, 0x4002);
            a.mov(dr6, rax);
            a.Label(ref target);
            a.nop();
            a.hlt();
        });
        guest.On(Debug, Resume).Run();
        Assert.Equal(0xFFFF_4FF4UL, guest[Register.R8]);
    }

    [Fact]
    public void A_single_step_ends_HLT()
    {
        using var guest = new HandlerGuest(a =>
        {
            SetTrap(a);
            a.hlt();
            a.inc(rcx);
            a.hlt();
        });
        guest.On(Debug, a =>
        {
            a.inc(rbx);
            a.and(__dword_ptr[rsp + 16], ~(int)Trap);
            a.iretq();
        }).Run();
        Assert.Equal((1UL, 1UL), (guest[Register.RBX], guest[Register.RCX]));
    }

    [Fact]
    public void Syscall_is_not_stepped_where_it_masks_TF()
    {
        using var guest = new HandlerGuest(a =>
        {
            Label target = a.CreateLabel();
            HandlerGuest.WriteMsr(a, 0xC000_0081, (ulong)HandlerGuest.Code64 << 32);
            HandlerGuest.WriteMsr(a, 0xC000_0084, Trap);
            a.lea(rax, __[target]);
            a.mov(rdx, rax);
            a.shr(rdx, 32);
            a.mov(ecx, 0xC000_0082);
            a.wrmsr();
            SetTrap(a);
            a.syscall();
            a.Label(ref target);
            a.hlt();
        });
        guest.On(Debug, Resume).Run();
        Assert.Equal(0UL, guest[Register.RBX]);
    }

    [Fact]
    public void Sysret_that_sets_TF_is_stepped_itself()
    {
        using var guest = new HandlerGuest(a =>
        {
            Label target = a.CreateLabel();
            HandlerGuest.WriteMsr(a, 0xC000_0081, 0x18UL << 48);
            a.lea(rcx, __[target]);
            a.mov(r9, rcx);
            a.mov(r11d, Trap);
            a.sysretq();
            a.Label(ref target);
            a.inc(rbx);
            a.inc(rbx);
        });
        guest.On(Debug, a =>
        {
            a.mov(r8, __[rsp]);
            a.mov(r10, __[rsp + 8]);
            a.hlt();
        }).Run();
        Assert.Equal((0UL, guest[Register.R9], (ulong)HandlerGuest.UserCode64), (guest[Register.RBX], guest[Register.R8], guest[Register.R10]));
    }

    [Theory]
    [InlineData(new byte[] { 0xF1 }, 1)] // INT1 is a debug exception, and takes that of MOV SS with it
    [InlineData(new byte[] { 0xCD, 0x01 }, 2)] // INT 1 is an interrupt, which it follows
    public void What_MOV_SS_puts_off_comes_with_INT1_and_after_INT_1(byte[] next, int times)
    {
        using var guest = new HandlerGuest(a =>
        {
            a.mov(eax, (uint)CodeGuest.Data);
            a.mov(dr1, rax);
            a.mov(__word_ptr[rax], HandlerGuest.Data);
            a.mov(ecx, 0xF0_0408);
            a.mov(dr7, rcx);
            a.mov(ss, __word_ptr[rax]);
            a.db(next);
            a.hlt();
        });
        guest.On(Debug, Resume).Run();
        Assert.Equal((ulong)times, guest[Register.RBX]);
    }

    private static void SetTrap(Assembler a)
    {
        a.pushfq();
        a.or(__dword_ptr[rsp], Trap);
        a.popfq();
    }

    /// <summary>Counts in RBX, leaves DR6 in R8 and goes on.</summary>
    private static void Resume(Assembler a)
    {
        a.inc(rbx);
        a.mov(r8, dr6);
        a.or(__dword_ptr[rsp + 16], 1 << 16);
        a.iretq();
    }
}
