using Iced.Intel;
using MemVirt.Cpu.Tests.Execution;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.Registers;

/// <summary>The memory type ranges and the PAT, as a PC's firmware leaves them and as WRMSR takes them.</summary>
public sealed class MemoryTypeRegisterTests
{
    private const int GeneralProtection = 13;

    [Theory]
    [InlineData(0xFE, 0x508UL)] // eight variable ranges, fixed ranges, WC
    [InlineData(0x2FF, 0xC06UL)] // on, the fixed ones too, write-back
    [InlineData(0x200, 0xC000_0000UL)] // the devices' gigabyte is uncached
    [InlineData(0x201, 0xFF_C000_0800UL)]
    [InlineData(0x250, 0x0606_0606_0606_0606UL)]
    [InlineData(0x259, 0UL)] // video memory
    [InlineData(0x26F, 0x0505_0505_0505_0505UL)]
    [InlineData(0x277, 0x0007_0406_0007_0406UL)]
    [InlineData(0x3A, 1UL)]
    [InlineData(0x179, 0UL)]
    public void It_is_as_the_firmware_leaves_it(uint number, ulong value)
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.mov(ecx, number);
            a.rdmsr();
            a.shl(rdx, 32);
            a.or(rax, rdx);
            a.hlt();
        });
        Assert.Equal(value, guest.Run()[Register.RAX]);
    }

    [Theory]
    [InlineData(0x2FF, 0x806UL, true)]
    [InlineData(0x2FF, 0x807UL, false)] // no such type
    [InlineData(0x2FF, 0x1006UL, false)] // reserved
    [InlineData(0x20E, 0x1_0000_0006UL, true)]
    [InlineData(0x20E, 0x106UL, false)]
    [InlineData(0x20F, 1UL << 40, false)] // beyond the physical addresses
    [InlineData(0x210, 0UL, false)] // there are eight
    [InlineData(0x258, 0x0101_0405_0600_0000UL, true)]
    [InlineData(0x258, 0x0101_0405_0200_0000UL, false)]
    [InlineData(0xFE, 0UL, false)]
    public void What_is_reserved_cannot_be_written(uint number, ulong value, bool isWritable)
    {
        using CodeGuest guest = CodeGuest.Of(a =>
        {
            a.mov(ecx, number);
            a.mov(eax, (uint)value);
            a.mov(edx, (uint)(value >> 32));
            a.wrmsr();
            a.mov(eax, 0u);
            a.mov(edx, 0u);
            a.rdmsr();
            a.shl(rdx, 32);
            a.or(rax, rdx);
            a.hlt();
        });
        GuestStop stop = guest.Machine.Run(1000);
        Assert.Equal(isWritable ? GuestStop.Halted : GuestStop.TripleFault, stop);
        Assert.Equal(isWritable ? 0 : 1, guest.Machine.Processor.Statistics.Vectors[GeneralProtection]);
        if (isWritable)
        {
            Assert.Equal(value, guest[Register.RAX]);
        }
    }
}
