using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.Execution;

/// <summary>Which addresses the registers of bases take: those that the processor has bits for, whatever the paging mode.</summary>
public sealed class BaseAddressTests
{
    private const int GeneralProtection = 13;
    private const ulong Canonical48 = 0xFFFF_AAAA_AAAA_A000;
    private const ulong Canonical57 = 0xFFAA_AAAA_AAAA_A000;
    private const ulong Neither = 0xAAAA_AAAA_AAAA_A000;

    [Theory]
    [InlineData(Canonical48, false, true)]
    [InlineData(Canonical57, false, false)]
    [InlineData(Canonical48, true, true)]
    [InlineData(Canonical57, true, true)]
    [InlineData(Neither, true, false)]
    public void Four_levels_take_57_bits_where_the_processor_has_them(ulong address, bool has57, bool isTaken)
    {
        CpuProfile profile = CpuProfile.Max with { LinearAddress57 = has57 };
        Assert.Equal(isTaken, IsTaken(profile, a => HandlerGuest.WriteMsr(a, 0xC000_0102, address)));
        Assert.Equal(isTaken, IsTaken(profile, a =>
        {
            a.mov(rax, address);
            a.mov(__[CodeGuest.Data + 2], rax);
            a.lidt(__[CodeGuest.Data]);
        }));
        Assert.Equal(isTaken, IsTaken(profile, a =>
        {
            a.mov(rax, address);
            a.mov(__[CodeGuest.Data + 8], rax);
            a.mov(__qword_ptr[CodeGuest.Data], 0);
            a.xor(eax, eax);
            a.invpcid(rax, __[CodeGuest.Data]);
        }));
        Assert.Equal(isTaken, IsTaken(profile, a =>
        {
            // An LDT's descriptor in place of the last two of the table.
            ulong low = 0xFFFF | ((address & 0xFF_FFFF) << 16) | (0x82UL << 40) | ((address >> 24 & 0xFF) << 56);
            a.mov(rax, low);
            a.mov(__[0x6020], rax);
            a.mov(rax, address >> 32);
            a.mov(__[0x6028], rax);
            a.mov(eax, 0x20);
            a.lldt(ax);
        }));
    }

    private static bool IsTaken(CpuProfile profile, Action<Assembler> write) => HandlerGuest.Completes(profile, GeneralProtection, write);
}
