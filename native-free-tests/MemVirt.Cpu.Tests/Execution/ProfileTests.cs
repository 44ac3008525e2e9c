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
    }

    private static bool IsThere(CpuProfile profile, Action<Assembler> write)
    {
        using var guest = new HandlerGuest(
            a =>
            {
                write(a);
                a.mov(ebx, 1);
                a.hlt();
            },
            profile);
        guest.On(InvalidOpcode, a => a.hlt()).Run();
        return guest[Register.RBX] == 1;
    }
}
