using Iced.Intel;
using MemVirt.Cpu.Loading;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.NativeTests.Loading;

/// <summary>
/// Starts QEMU's processor with a <see cref="BootState"/>: a Multiboot kernel of a few instructions brings the low memory that QEMU's
/// firmware has used to what a loader made of it, loads the registers and jumps.
/// </summary>
internal static class QemuStart
{
    internal const uint Address = 0x600_0000;
    internal const uint LowCopy = 0x700_0000;
    internal const uint LowStart = 0x1000;
    internal const uint LowBytes = 0x2_0000;

    private const uint LongModeEnable = 0x100;
    private const uint Table = Address + 32;
    private const uint Code = Table + 8;

    internal static byte[] Kernel(BootState state)
    {
        byte[] code = Assemble(state);
        uint[] header = [0x1BADB002, 0x10000, unchecked(0u - 0x1BADB002 - 0x10000), Address, Address, 0, 0, Code];
        byte[] table = [.. BitConverter.GetBytes(state.GlobalTable.Limit), .. BitConverter.GetBytes((uint)state.GlobalTable.Base), 0, 0];
        return [.. header.SelectMany(BitConverter.GetBytes), .. table, .. code];
    }

    private static byte[] Assemble(BootState state)
    {
        var a = new Assembler(32);
        a.cli();
        a.cld();
        a.mov(esi, LowCopy);
        a.mov(edi, LowStart);
        a.mov(ecx, LowBytes / 4);
        a.rep.movsd();
        a.mov(eax, Table);
        a.lgdt(__[eax]);
        a.mov(eax, (uint)state.Cr4);
        a.mov(cr4, eax);
        a.mov(eax, (uint)state.Cr3);
        a.mov(cr3, eax);
        a.mov(ecx, 0xC000_0080);
        a.xor(edx, edx);
        a.mov(eax, (uint)state.Efer & LongModeEnable);
        a.wrmsr();
        a.mov(eax, (uint)state.Cr0);
        a.mov(cr0, eax);
        a.mov(eax, (uint)state.Data.Selector);
        a.mov(ds, eax);
        a.mov(es, eax);
        a.mov(fs, eax);
        a.mov(gs, eax);
        a.mov(ss, eax);
        AssemblerRegister32[] registers = [eax, ecx, edx, ebx, esp, ebp, esi, edi];
        for (int i = 0; i < registers.Length; i++)
        {
            a.mov(registers[i], (uint)state.GeneralRegisters[i]);
        }

        a.db([0xEA, .. BitConverter.GetBytes((uint)state.Rip), .. BitConverter.GetBytes(state.Code.Selector)]);
        using var stream = new MemoryStream();
        a.Assemble(new StreamCodeWriter(stream), Code);
        return stream.ToArray();
    }
}
