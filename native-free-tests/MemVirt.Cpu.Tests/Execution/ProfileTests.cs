using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.Execution;

/// <summary>Instructions that CPUID says are there, or not.</summary>
public sealed class ProfileTests
{
    private const int InvalidOpcode = 6;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_CPUID_does_not_offer_is_no_instruction(bool isOffered)
    {
        CpuProfile profile = isOffered ? CpuProfile.Paging : CpuProfile.Qemu64;
        Assert.Equal(isOffered, IsThere(profile, a => a.stac()));
        Assert.Equal(isOffered, IsThere(profile, a => a.clac()));
        Assert.Equal(isOffered, IsThere(profile, a =>
        {
            a.xor(eax, eax);
            a.invpcid(rax, __[CodeGuest.Data]);
        }));
        Assert.Equal(isOffered, IsThere(profile, a => a.rdtscp()));
        Assert.Equal(isOffered, IsThere(isOffered ? CpuProfile.Max with { LinearAddress57 = false } : profile, a => a.popcnt(eax, ecx)));
    }

    [Fact]
    public void Hints_that_are_not_there_do_nothing()
    {
        Assert.True(IsThere(CpuProfile.Qemu64, a => a.db(0x0F, 0x1C, 0x00))); // CLDEMOTE
        Assert.True(IsThere(CpuProfile.Qemu64, a => a.db(0x0F, 0x0D, 0x10))); // PREFETCHWT1
        Assert.True(IsThere(CpuProfile.Qemu64, a => a.db(0x0F, 0x18, 0x3D, 0, 0, 0, 0))); // PREFETCHIT0
        Assert.True(IsThere(CpuProfile.Qemu64, a => a.db(0x0F, 0x18, 0x30)));
    }

    [Fact]
    public void There_is_no_performance_counter()
    {
        using var guest = new HandlerGuest(a => a.rdpmc(), CpuProfile.Qemu64);
        guest.On(13, a => a.hlt()).Run();
        Assert.Equal(1, guest.Processor.Statistics.Vectors[13]);
    }

    [Fact]
    public void A_fault_of_FXSAVE_is_a_store_s()
    {
        using var guest = new HandlerGuest(a => a.fxsave(__[0x40_0000]));
        guest.On(14, a =>
        {
            a.pop(rbx);
            a.hlt();
        }).Run();
        Assert.Equal(2UL, guest[Register.RBX]);
    }

    private static bool IsThere(CpuProfile profile, Action<Assembler> write) => HandlerGuest.Completes(profile, InvalidOpcode, write);
}
