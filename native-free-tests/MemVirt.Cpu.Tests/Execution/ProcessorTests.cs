using Iced.Intel;
using MemVirt.Cpu.Spaces;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.Execution;

/// <summary>The processor on small pieces of code.</summary>
public sealed class ProcessorTests
{
    public static TheoryData<string> Regimes => [.. Enum.GetNames<GuestRegime>()];

    [Theory]
    [MemberData(nameof(Regimes))]
    public void A_loop_sums_under_every_regime(string regime)
    {
        using CodeGuest guest = CodeGuest.Of(
            a =>
            {
                Label again = a.CreateLabel();
                a.mov(ecx, 1000);
                a.xor(eax, eax);
                a.Label(ref again);
                a.add(rax, rcx);
                a.mov(__qword_ptr[CodeGuest.Data], rax);
                a.dec(ecx);
                a.jnz(again);
                a.hlt();
            },
            Enum.Parse<GuestRegime>(regime)).Run();
        Assert.Equal(500_500UL, guest[Register.RAX]);
        Assert.Equal(500_500UL, guest.Read(CodeGuest.Data));
        Assert.Equal(2UL + (1000 * 4) + 1, guest.Machine.Summary().Instructions);
    }

    [Fact]
    public void Code_that_changes_itself_is_seen_at_once()
    {
        // The operand of the mov that follows the store, in the same block.
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            Label patched = a.CreateLabel();
            a.lea(rbx, __[patched]);
            a.mov(__byte_ptr[rbx + 1], 0x77);
            a.Label(ref patched);
            a.mov(eax, 0x11);
            a.hlt();
        }).Run();
        Assert.Equal(0x77UL, guest[Register.RAX]);
        Assert.Equal(1, guest.Machine.Summary().CodeFramesWritten);
    }

    [Fact]
    public void Rep_movs_that_faults_in_the_middle_has_done_what_lies_before()
    {
        // RAM ends at 4 MiB: there the destination's page is absent, and there is no IDT: a triple fault.
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.mov(rsi, CodeGuest.Data);
            a.mov(rdi, 0x40_0000 - 64);
            a.mov(ecx, 100);
            a.rep.movsb();
            a.hlt();
        });
        guest.Write(CodeGuest.Data, [.. Enumerable.Range(1, 100).Select(i => (byte)i)]);
        Assert.Equal(GuestStop.TripleFault, guest.Machine.Run(1_000_000));
        Assert.Equal(36UL, guest[Register.RCX]);
        Assert.Equal(0x40_0000UL, guest[Register.RDI]);
        Assert.Equal(0x40_0000UL, guest.Machine.Processor.Cr2);
        Assert.Equal(BitConverter.ToUInt64([57, 58, 59, 60, 61, 62, 63, 64]), guest.Read(0x40_0000 - 8));
    }

    [Fact]
    public void A_fault_leaves_the_registers_as_they_were()
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.mov(rax, 5);
            a.stc();
            a.add(rax, __qword_ptr[0x1234_5678]);
            a.hlt();
        });
        Assert.Equal(GuestStop.TripleFault, guest.Machine.Run(1_000_000));
        Assert.Equal(5UL, guest[Register.RAX]);
        Assert.NotEqual(0UL, guest.Flags & 1);
        Assert.Equal(0x1234_5678UL, guest.Machine.Processor.Cr2);
    }

    [Fact]
    public void What_is_written_to_the_serial_port_comes_out_and_the_exit_port_ends_the_run()
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.mov(dx, 0x3F8);
            foreach (char letter in "ok")
            {
                a.mov(eax, (uint)letter);
                a.@out(dx, al);
            }

            a.mov(eax, 21);
            a.@out(0xF4, eax);
        });
        Assert.Equal(GuestStop.Exit, guest.Machine.Run(1_000_000));
        Assert.Equal("ok"u8.ToArray(), guest.Written);
        Assert.Equal(43, guest.Machine.Devices.DebugExit.ExitCode);
    }

    [Fact]
    public void Steady_state_allocates_nothing()
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            Label again = a.CreateLabel();
            Label function = a.CreateLabel();
            a.Label(ref again);
            a.call(function);
            a.mov(rax, __qword_ptr[(rcx * 8) + (long)CodeGuest.Data]);
            a.inc(ecx);
            a.and(ecx, 1023);
            a.mov(__qword_ptr[(rcx * 8) + (long)CodeGuest.Data], rax);
            a.paddb(xmm0, xmm1);
            a.invlpg(__byte_ptr[rcx + (long)CodeGuest.Data]);
            a.jmp(again);
            a.Label(ref function);
            a.mul(rdx);
            a.ret();
        });
        guest.Machine.Run(5_000_000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        guest.Machine.Run(10_000_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Several_guests_on_threads_of_their_own_do_not_meet()
    {
        var sums = new ulong[4];
        Parallel.For(0, sums.Length, i =>
        {
            using CodeGuest guest = CodeGuest.Of(a =>
            {
                Label again = a.CreateLabel();
                a.mov(ecx, 200_000);
                a.Label(ref again);
                a.add(__qword_ptr[CodeGuest.Data], i + 1);
                a.dec(ecx);
                a.jnz(again);
                a.hlt();
            }).Run();
            sums[i] = guest.Read(CodeGuest.Data);
        });
        Assert.Equal([200_000UL, 400_000UL, 600_000UL, 800_000UL], sums);
    }

    [Fact]
    public void Two_runs_are_the_same_to_the_last_instruction()
    {
        GuestSummary[] runs = [.. Enumerable.Range(0, 2).Select(_ =>
        {
            using CodeGuest guest = CodeGuest.Of(a =>
            {
                Label again = a.CreateLabel();
                a.mov(ecx, 3000);
                a.Label(ref again);
                a.@in(al, 0x61);
                a.rdtsc();
                a.add(rbx, rax);
                a.dec(ecx);
                a.jnz(again);
                a.hlt();
            }).Run();
            return guest.Machine.Summary();
        })];
        Assert.Equal(runs[0], runs[1]);
    }
}
