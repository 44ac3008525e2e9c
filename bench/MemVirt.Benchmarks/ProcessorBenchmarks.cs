using BenchmarkDotNet.Attributes;
using Iced.Intel;
using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Cpu;
using MemVirt.Cpu.Loading;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Benchmarks;

/// <summary>
/// What the software processor takes: an instruction of a loop of loads, compares and branches as quicksort has them; INVLPG and a touch; a
/// load of CR3 and 64 touches; a page fault to its handler and back.
/// </summary>
[MemoryDiagnoser]
public class ProcessorBenchmarks
{
    private const int LoopInstructions = 20_000;
    private const int Invalidations = 1000;
    private const int Switches = 50;
    private const int Touches = 64;
    private const int Faults = 1000;
    private const ulong CodeAddress = 0x10_0000;
    private const long Data = 0x20_0000;
    private const long Absent = 0x40_0000;
    private const long StackTop = 0x9000;
    private const ulong Globals = 0x5000;
    private const ulong Interrupts = 0x6000;
    private GuestMachine _loop = null!;
    private GuestMachine _invalidation = null!;
    private GuestMachine _switch = null!;
    private GuestMachine _fault = null!;

    [GlobalSetup]
    public void Setup()
    {
        _loop = Guest(a =>
        {
            Label again = a.CreateLabel();
            Label next = a.CreateLabel();
            a.mov(rbx, Data);
            a.Label(ref again);
            a.mov(eax, __dword_ptr[rbx + (rcx * 4)]);
            a.cmp(eax, __dword_ptr[rbx + (rcx * 4) + 4]);
            a.jl(next);
            a.mov(edx, __dword_ptr[rbx + (rcx * 4) + 4]);
            a.mov(__dword_ptr[rbx + (rcx * 4)], edx);
            a.mov(__dword_ptr[rbx + (rcx * 4) + 4], eax);
            a.Label(ref next);
            a.inc(ecx);
            a.and(ecx, 1023);
            a.jmp(again);
        });
        _invalidation = Guest(a =>
        {
            Label again = a.CreateLabel();
            a.mov(rbx, Data);
            a.Label(ref again);
            a.invlpg(__byte_ptr[rbx]);
            a.mov(rax, __qword_ptr[rbx]);
            a.jmp(again);
        });
        _switch = Guest(a =>
        {
            Label again = a.CreateLabel();
            a.mov(rbx, Data);
            a.Label(ref again);
            a.mov(rax, cr3);
            a.mov(cr3, rax);
            for (int i = 0; i < Touches; i++)
            {
                a.mov(rdx, __qword_ptr[rbx + (i * 4096)]);
            }

            a.jmp(again);
        });
        _fault = Guest(a =>
        {
            Label again = a.CreateLabel();
            a.mov(rsp, StackTop);
            a.mov(rbx, Absent);
            a.Label(ref again);
            a.mov(rax, __qword_ptr[rbx]);
            a.jmp(again);
        });
        Prepare(_fault);
    }

    /// <summary>An instruction.</summary>
    [Benchmark(OperationsPerInvoke = LoopInstructions)]
    public GuestStop Loop() => Run(_loop, LoopInstructions);

    /// <summary>INVLPG and a touch: three instructions.</summary>
    [Benchmark(OperationsPerInvoke = Invalidations)]
    public GuestStop InvlpgAndTouch() => Run(_invalidation, 3 * Invalidations);

    /// <summary>A load of CR3 and 64 touches: 67 instructions.</summary>
    [Benchmark(OperationsPerInvoke = Switches)]
    public GuestStop Cr3AndTouches() => Run(_switch, (Touches + 3) * Switches);

    /// <summary>A page fault, its handler of three instructions, and the jump to the next: four instructions retire.</summary>
    [Benchmark(OperationsPerInvoke = Faults)]
    public GuestStop PageFault() => Run(_fault, 4 * Faults);

    private static GuestStop Run(GuestMachine machine, ulong instructions) => machine.Run(machine.Clock.Now + instructions);

    /// <summary>Descriptors, a gate for #PF, and its handler, which steps over the instruction.</summary>
    private static void Prepare(GuestMachine machine)
    {
        const int pageFault = 14;
        const ulong gateTo64BitCode = 0x8E00_0008_0000;
        machine.HostMemory.Write(Globals + 8, 0x00AF_9B00_0000_FFFF);
        machine.HostMemory.Write(Globals + 16, 0x00CF_9300_0000_FFFF);
        ulong handler = CodeAddress + 0x1000;
        ulong gate = Interrupts + (pageFault * 16);
        machine.HostMemory.Write(gate, (handler & 0xFFFF) | gateTo64BitCode | (handler >> 16 << 48));
        machine.HostMemory.Write(gate + 8, 0);

        // add qword [rsp + 8], 3; add rsp, 8; iretq
        ReadOnlySpan<byte> code = [0x48, 0x83, 0x44, 0x24, 0x08, 0x03, 0x48, 0x83, 0xC4, 0x08, 0x48, 0xCF];
        code.CopyTo(machine.HostMemory.InFrame(handler, code.Length));
    }

    private static GuestMachine Guest(Action<Assembler> write)
    {
        const ulong Root = 0x1000;
        var assembler = new Assembler(64);
        write(assembler);
        using var code = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(code), CodeAddress);
        var machine = new GuestMachine(new GuestOptions { MemoryBytes = 8 << 20, Output = _ => { } });
        code.ToArray().CopyTo(machine.HostMemory.InFrame(CodeAddress, (int)code.Length));
        machine.HostMemory.Write(Root, X64FourLevel.TableEntry(0x2000));
        machine.HostMemory.Write(0x2000, X64FourLevel.TableEntry(0x3000));
        machine.HostMemory.Write(0x3000, X64FourLevel.LeafEntry(0, level: 1, AccessRights.All, dirty: true));
        machine.HostMemory.Write(0x3008, X64FourLevel.TableEntry(0x4000));
        for (ulong page = 0; page < 512; page++)
        {
            machine.HostMemory.Write(0x4000 + (page * 8), X64FourLevel.LeafEntry((ulong)Data + (page << 12), level: 0, AccessRights.All, dirty: true));
        }

        machine.Start(new BootState
        {
            Mode = BootMode.Long64, Rip = CodeAddress, GeneralRegisters = new ulong[16], Cr0 = 0x8001_0033, Cr3 = Root, Cr4 = 0x620, Efer = 0xD01,
            Code = new SegmentState(8, 0, uint.MaxValue, 0xA09B), Data = new SegmentState(16, 0, uint.MaxValue, 0xC093), GlobalTable = new TableState(Globals, 0x17), InterruptTable = new TableState(Interrupts, 0xFFF),
        });
        return machine;
    }
}
