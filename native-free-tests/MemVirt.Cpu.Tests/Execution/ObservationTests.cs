using Iced.Intel;
using MemVirt.Core.Registers;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.Execution;

/// <summary>What an observer hears of a run: every reference of data, and what a VMM would leave the guest for.</summary>
public sealed class ObservationTests
{
    private const ulong Data = CodeGuest.Data;

    [Fact]
    public void A_read_modify_write_is_a_load_and_a_store()
    {
        Recorder heard = Observe(a =>
        {
            a.add(__dword_ptr[Data], eax);
            a.cmpxchg(__qword_ptr[Data + 0xFFC], rbx); // across two pages
            a.hlt();
        });
        Assert.Equal([Load(Data, 4), Store(Data, 4), Load(Data + 0xFFC, 8), Store(Data + 0xFFC, 8)], heard.Data);
    }

    [Fact]
    public void A_string_instruction_has_the_references_of_each_element()
    {
        Recorder heard = Observe(a =>
        {
            a.mov(rdi, (long)Data + 0x1000);
            a.mov(ecx, 3);
            a.rep.stosq();
            a.mov(rsi, (long)Data + 0x1000);
            a.mov(rdi, (long)Data + 0x2FFC);
            a.mov(ecx, 2);
            a.rep.movsd(); // the second element lies in the next page
            a.mov(rdi, (long)Data + 0x1000);
            a.mov(ecx, 2);
            a.repe.scasb();
            a.hlt();
        });
        Assert.Equal(
            [
                Store(Data + 0x1000, 8), Store(Data + 0x1008, 8), Store(Data + 0x1010, 8),
                Load(Data + 0x1000, 4), Store(Data + 0x2FFC, 4), Load(Data + 0x1004, 4), Store(Data + 0x3000, 4),
                Load(Data + 0x1000, 1), Load(Data + 0x1001, 1),
            ],
            heard.Data);
    }

    [Fact]
    public void Of_control_registers_a_vmm_takes_what_it_owns_and_under_shadow_paging_cr3()
    {
        Recorder heard = Observe(a =>
        {
            a.mov(rax, cr0);
            a.mov(cr0, rax); // changes nothing
            a.or(eax, 8);
            a.mov(cr0, rax); // TS is the guest's
            a.clts();
            a.and(eax, ~0x20);
            a.mov(cr0, rax); // NE is not
            a.mov(rax, cr2);
            a.mov(cr2, rax);
            a.mov(rax, cr4);
            a.xor(eax, 0x400);
            a.mov(cr4, rax); // OSXMMEXCPT is the guest's
            a.xor(eax, 0x80);
            a.mov(cr4, rax); // PGE is where nested paging is
            a.mov(rax, cr3);
            a.mov(cr3, rax);
            a.hlt();
        });
        Assert.Equal(
            [ExecutionEvent.OwnedControlWrite, ExecutionEvent.ControlAccess, ExecutionEvent.ControlAccess, ExecutionEvent.Halt], heard.Events);
        Assert.Equal(1, heard.Cr3Loads);
    }

    private static ulong Load(ulong address, int sizeBytes) => address | (1UL << 48) | ((ulong)(uint)sizeBytes << 50);

    private static ulong Store(ulong address, int sizeBytes) => address | (2UL << 48) | ((ulong)(uint)sizeBytes << 50);

    private static Recorder Observe(Action<Assembler> write)
    {
        using CodeGuest guest = CodeGuest.Of(write);
        var recorder = new Recorder();
        guest.Machine.Observer = recorder;
        guest.Run();
        return recorder;
    }

    private sealed class Recorder : IExecutionObserver
    {
        public List<ulong> Data { get; } = [];

        public List<ExecutionEvent> Events { get; } = [];

        public int Cr3Loads { get; private set; }

        public void References(ReadOnlySpan<ulong> references, long instructions)
        {
            foreach (ulong reference in references)
            {
                if ((reference >> 48 & 3) != 0)
                {
                    Data.Add(reference);
                }
            }
        }

        public void Registers(in PagingRegisters registers, PageDirectoryPointers pointers)
        {
            // Not of interest here.
        }

        public void LoadedCr3(ushort process, bool keeps) => Cr3Loads++;

        public void Invalidated(ulong linear)
        {
            // Not of interest here.
        }

        public void InvalidatedAll()
        {
            // Not of interest here.
        }

        public void Count(ExecutionEvent happened) => Events.Add(happened);
    }
}
