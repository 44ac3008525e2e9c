using Iced.Intel;
using MemVirt.Cpu.Loading;
using MemVirt.Cpu.Spaces;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.Execution;

/// <summary>32-bit code that turns paging on: from then on every access goes by the tables (Intel SDM Vol. 3A §4.1.2, §8.3).</summary>
public sealed class PagingStartTests
{
    private const uint Directory = 0x5000;
    private const uint Table = 0x6000;
    private const uint Moved = 0x18_0000;
    private const uint Target = 0x38_0000;
    private const uint PresentWritable = 3;

    [Theory]
    [InlineData(GuestRegime.Native)]
    [InlineData(GuestRegime.Shadow)]
    [InlineData(GuestRegime.Ept)]
    [InlineData(GuestRegime.Npt)]
    public void What_was_reached_without_tables_is_reached_by_them(GuestRegime regime)
    {
        using CodeGuest guest = Start(
            a =>
            {
                a.mov(__dword_ptr[Moved], 0x11);
                a.mov(eax, Directory);
                a.mov(cr3, eax);
                a.mov(eax, cr0);
                a.or(eax, unchecked((int)0x8000_0000));
                a.mov(cr0, eax);
                a.mov(ebx, __dword_ptr[Moved]);
                a.mov(__dword_ptr[Moved], 0x33);
                a.and(eax, 0x7FFF_FFFF);
                a.mov(cr0, eax);
                a.mov(ecx, __dword_ptr[Moved]);
                a.hlt();
            },
            regime);
        guest.Write(Directory, Table | PresentWritable);
        for (uint page = 0; page < 1024; page++)
        {
            uint frame = page << 12 == Moved ? Target : page << 12;
            guest.Write(Table + (page * 4), BitConverter.GetBytes(frame | PresentWritable));
        }

        guest.Write(Target, 0x22);
        guest.Run();
        Assert.Equal((0x22UL, 0x11UL), (guest[Register.RBX], guest[Register.RCX]));
        Assert.Equal(0x33UL, guest.Read(Target));
    }

    [Fact]
    public void A_branch_of_operand_size_16_keeps_16_bits_of_EIP()
    {
        using CodeGuest guest = Start(a =>
        {
            a.xor(eax, eax);
            a.db(0x66, 0x74, 0); // jz, to what follows: 5 in the lowest page
            a.hlt();
        });
        guest.Write(5, [0xBB, 7, 0, 0, 0, 0x66, 0xEB, 1, 0xF4, 0xF4]); // mov ebx, 7; jmp over a hlt
        guest.Run();
        Assert.Equal(7UL, guest[Register.RBX]);
        Assert.Equal(5UL + 10, guest.Machine.Processor.Rip);
    }

    private static CodeGuest Start(Action<Assembler> write, GuestRegime regime = GuestRegime.Native)
    {
        var assembler = new Assembler(32);
        write(assembler);
        using var bytes = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(bytes), CodeGuest.CodeAddress);
        var guest = new CodeGuest(bytes.ToArray(), regime);
        guest.Machine.Start(new BootState
        {
            Mode = BootMode.Protected32, Rip = CodeGuest.CodeAddress, GeneralRegisters = new ulong[16], Cr0 = 0x31, Cr3 = 0, Cr4 = 0, Efer = 0,
            Code = new SegmentState(8, 0, uint.MaxValue, 0xC09B), Data = new SegmentState(16, 0, uint.MaxValue, 0xC093), GlobalTable = default,
        });
        return guest;
    }
}
