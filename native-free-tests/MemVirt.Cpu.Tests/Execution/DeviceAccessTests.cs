using MemVirt.Cpu.Spaces;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.Execution;

/// <summary>Accesses to where there is no RAM.</summary>
public sealed class DeviceAccessTests
{
    private const ulong EntryOfThirdPage = 0x3010;
    private const ulong Accessed = 0x20;
    private const ulong Dirty = 0x40;

    [Theory]
    [InlineData(GuestRegime.Native)]
    [InlineData(GuestRegime.Shadow)]
    [InlineData(GuestRegime.Ept)]
    [InlineData(GuestRegime.Npt)]
    public void They_set_the_flags_of_the_guest_s_entry(GuestRegime regime)
    {
        foreach ((bool stores, ulong flags) in ((bool, ulong)[])[(false, Accessed), (true, Accessed | Dirty)])
        {
            using CodeGuest guest = CodeGuest.Of(
                a =>
                {
                    if (stores)
                    {
                        a.mov(__dword_ptr[0x40_0010], eax);
                    }

                    a.mov(ebx, __dword_ptr[0x40_0010]);
                    a.hlt();
                },
                regime);
            guest.Write(EntryOfThirdPage, 0xFEC0_0083); // 2 MiB of nothing, clean
            Assert.Equal(0xFFFF_FFFFUL, guest.Run()[Iced.Intel.Register.RBX]);
            Assert.Equal(flags, guest.Read(EntryOfThirdPage) & (Accessed | Dirty));
        }
    }

    [Fact]
    public void The_local_apic_passes_the_8259_s_interrupts_as_firmware_leaves_it()
    {
        using CodeGuest guest = CodeGuest.Of(a => a.hlt());
        Assert.Equal(0x8700UL, guest.Machine.Devices.LocalApic!.Read(0x350, 4));
        Assert.Equal(0x1FFUL, guest.Machine.Devices.LocalApic!.Read(0xF0, 4));
    }
}
