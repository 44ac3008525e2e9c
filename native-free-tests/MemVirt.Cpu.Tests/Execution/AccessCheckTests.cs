using Iced.Intel;
using MemVirt.Cpu.Loading;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.Execution;

/// <summary>What is checked before an instruction: limits, types, alignment, breakpoints. There is no IDT: the first exception is the last.</summary>
public sealed class AccessCheckTests
{
    private const ulong Data = CodeGuest.Data;
    private const int Debug = 1;
    private const int StackFault = 12;
    private const int GeneralProtection = 13;
    private const int AlignmentCheck = 17;

    // Data segments of 32 bits, as a descriptor has them: present, level 0.
    private const uint ReadWrite = 0x4093;
    private const uint ReadOnly = 0x4091;
    private const uint ExpandDown = 0x4097;

    [Theory]
    [InlineData(0xFFF, ReadWrite, 0xFFC, false, 0)]
    [InlineData(0xFFF, ReadWrite, 0xFFD, false, GeneralProtection)]
    [InlineData(0xFFF, ReadWrite, 0x1000, true, GeneralProtection)]
    [InlineData(0xFFF, ReadWrite, 0xFFFF_FFFE, false, GeneralProtection)]
    [InlineData(0xFFF, ExpandDown, 0xFFF, false, GeneralProtection)]
    [InlineData(0xFFF, ExpandDown, 0x1000, true, 0)]
    [InlineData(0xFFFF_FFFF, ReadOnly, 0x1000, false, 0)]
    [InlineData(0xFFFF_FFFF, ReadOnly, 0x1000, true, GeneralProtection)]
    public void Segments_have_limits_and_types(uint limit, uint attributes, long offset, bool isWrite, int vector)
    {
        using CodeGuest guest = Guest32(a =>
        {
            a.mov(ecx, 7); // unchecked instructions before, in the same row
            if (isWrite)
            {
                a.mov(__dword_ptr.fs[offset], eax);
            }
            else
            {
                a.mov(eax, __dword_ptr.fs[offset]);
            }

            a.hlt();
        });
        guest.Machine.Processor.SetSegment(SegmentName.Fs, Segment(limit, attributes));
        Ends(guest, vector);
        Assert.Equal(7UL, guest[Register.RCX]);
    }

    [Fact]
    public void The_stack_has_a_limit_too()
    {
        using CodeGuest guest = Guest32(a =>
        {
            a.mov(esp, 0x2004);
            a.push(eax);
            a.mov(esp, 0x2003);
            a.push(eax);
            a.hlt();
        });
        guest.Machine.Processor.SetSegment(SegmentName.Ss, Segment(0x2003, ReadWrite));
        Ends(guest, 0);
        using CodeGuest beyond = Guest32(a =>
        {
            a.mov(esp, 0x2008);
            a.push(eax);
            a.hlt();
        });
        beyond.Machine.Processor.SetSegment(SegmentName.Ss, Segment(0x2003, ReadWrite));
        Ends(beyond, StackFault);
        Assert.Equal(0x2008UL, beyond[Register.RSP]);
    }

    [Fact]
    public void A_string_that_reaches_the_limit_has_done_what_lies_before()
    {
        using CodeGuest guest = Guest32(a =>
        {
            a.mov(ecx, 100);
            a.mov(edi, 0xFC0);
            a.rep.stosb();
            a.hlt();
        });
        guest.Machine.Processor.SetSegment(SegmentName.Es, Segment(0xFFF, ReadWrite));
        Ends(guest, GeneralProtection);
        Assert.Equal((36UL, 0x1000UL), (guest[Register.RCX], guest[Register.RDI]));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, AlignmentCheck)]
    [InlineData(2, AlignmentCheck)]
    public void Alignment_is_checked_at_level_3(int offset, int vector)
    {
        using CodeGuest guest = Guest64(level: 3, a =>
        {
            a.pushfq();
            a.or(__dword_ptr[rsp], 1 << 18);
            a.popfq();
            a.mov(eax, __dword_ptr[Data + (uint)offset]);
            a.ud2();
        });
        guest.Machine.Space.Load(guest.Machine.Processor.Control with { Cr0 = guest.Machine.Processor.Control.Cr0 | (1 << 18) });
        guest.Machine.Processor.SetPrivilege(3);
        Ends(guest, vector == 0 ? 6 : vector);
    }

    [Theory]
    [InlineData(0xD_0001, false, 0)]
    [InlineData(0xD_0001, true, Debug)]
    [InlineData(0xF_0001, false, Debug)]
    [InlineData(0xD_0000, true, 0)]
    public void A_watched_access_is_a_trap_after_its_instruction(uint dr7, bool isWrite, int vector)
    {
        using CodeGuest guest = Guest64(level: 0, a =>
        {
            a.mov(rax, Data);
            a.mov(dr0, rax);
            a.mov(eax, (int)dr7);
            a.mov(AssemblerRegisters.dr7, rax);
            if (isWrite)
            {
                a.mov(__dword_ptr[Data + 2], ecx);
            }
            else
            {
                a.mov(ecx, __dword_ptr[Data + 2]);
            }

            a.mov(ebx, 1);
            a.hlt();
        });
        Ends(guest, vector);
        Assert.Equal(vector == 0 ? 1UL : 0, guest[Register.RBX]);
        Assert.Equal(vector == 0 ? 0UL : 1, guest.Machine.Processor.Debug.Dr6 & 15);
    }

    [Fact]
    public void A_breakpoint_on_an_instruction_comes_before_it()
    {
        using CodeGuest guest = Guest64(level: 0, a =>
        {
            Label target = a.CreateLabel();
            a.lea(rax, __[target]);
            a.mov(dr3, rax);
            a.mov(eax, 0x80);
            a.mov(AssemblerRegisters.dr7, rax);
            a.mov(ecx, 1);
            a.Label(ref target);
            a.mov(ecx, 2);
            a.hlt();
        });
        Ends(guest, Debug);
        Assert.Equal(1UL, guest[Register.RCX]);
        Assert.Equal(8UL, guest.Machine.Processor.Debug.Dr6 & 15);
    }

    [Fact]
    public void General_detect_guards_the_debug_registers_and_goes()
    {
        using CodeGuest guest = Guest64(level: 0, a =>
        {
            a.mov(eax, 0x2400);
            a.mov(AssemblerRegisters.dr7, rax);
            a.mov(rbx, dr0);
            a.hlt();
        });
        Ends(guest, Debug);
        Assert.Equal(1UL << 13, guest.Machine.Processor.Debug.Dr6 & (1 << 13));
        Assert.Equal(0UL, guest.Machine.Processor.Debug.Dr7 & (1 << 13));
    }

    [Theory]
    [InlineData(14, 0)]
    [InlineData(15, GeneralProtection)]
    public void Fifteen_bytes_are_the_most(int prefixes, int vector)
    {
        byte[] code = [.. Enumerable.Repeat((byte)0x66, prefixes), 0x90, 0xF4];
        using var guest = new CodeGuest(code);
        Ends(guest, vector);
    }

    private static SegmentRegister Segment(uint limit, uint attributes) => new() { Selector = 0x20, Limit = limit, Attributes = ((attributes & 0xFF) << 8) | ((attributes & 0xF000) << 8) };

    /// <summary>Runs to HLT, or to the exception that ends it.</summary>
    private static void Ends(CodeGuest guest, int vector)
    {
        GuestStop stop = guest.Machine.Run(100_000);
        Assert.True(stop == (vector == 0 ? GuestStop.Halted : GuestStop.TripleFault), $"{stop} at {guest.Machine.Where}");
        long[] vectors = guest.Machine.Processor.Statistics.Vectors;
        Assert.Equal(vector == 0 ? [] : (int[])[vector], Enumerable.Range(0, 32).Where(v => vectors[v] != 0 && v != 8 && (v != GeneralProtection || v == vector)));
    }

    private static CodeGuest Guest64(int level, Action<Assembler> write) => new(Assemble(64, write), level: level);

    /// <summary>Compatibility mode: the segments of 32 bits are what they are in protected mode.</summary>
    private static CodeGuest Guest32(Action<Assembler> write)
    {
        var guest = new CodeGuest(Assemble(32, write));
        guest.Machine.Processor.SetSegment(SegmentName.Cs, new SegmentRegister { Selector = 8, Limit = uint.MaxValue, Attributes = 0xC0_9B00 });
        return guest;
    }

    private static byte[] Assemble(int bitness, Action<Assembler> write)
    {
        var assembler = new Assembler(bitness);
        write(assembler);
        using var bytes = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(bytes), CodeGuest.CodeAddress);
        return bytes.ToArray();
    }
}
