using MemVirt.Cpu.Machine;
using MemVirt.Cpu.Machine.Interrupts;
using MemVirt.Cpu.Machine.Interrupts.Apic;
using MemVirt.Cpu.Machine.Timers;

namespace MemVirt.Cpu.Tests.Machine.Interrupts.Apic;

/// <summary>A local APIC with a clock, time stamps and an initialised 8259A pair whose vectors are 0x30 to 0x3F.</summary>
internal sealed class ApicBed
{
    internal const ulong TimerHertz = 1_000_000_000;
    internal const ulong TimeStampHertz = 2_500_000_000;

    internal ApicBed()
    {
        TimeStamps = new TimeStampCounter(Clock, TimeStampHertz);
        foreach ((ushort port, byte value) in (ReadOnlySpan<(ushort, byte)>)
            [(0x20, 0x11), (0x21, 0x30), (0x21, 0x04), (0x21, 0x01), (0xA0, 0x11), (0xA1, 0x38), (0xA1, 0x02), (0xA1, 0x01)])
        {
            Pic.Write(port, 1, value);
        }

        Apic = new LocalApic(Clock, Pic, TimeStamps, TimerHertz, physicalAddressBits: 40) { BecamePending = () => Notified++ };
    }

    internal MachineClock Clock { get; } = new();

    internal Pic8259 Pic { get; } = new();

    internal TimeStampCounter TimeStamps { get; }

    internal LocalApic Apic { get; }

    internal int Notified { get; private set; }

    internal uint this[uint offset]
    {
        get => (uint)Apic.Read(offset, 4);
        set => Apic.Write(offset, 4, value);
    }

    /// <summary>Software-enables it, with 0xFF for spurious interrupts.</summary>
    internal ApicBed Enabled()
    {
        this[0xF0] = 0x1FF;
        return this;
    }

    internal ApicBed InX2Mode()
    {
        Assert.True(Apic.TryWriteMsr(0x1B, 0xFEE0_0D00));
        return this;
    }

    internal void SendToSelf(byte vector) => this[0x300] = 0x4_0000U | vector;

    internal ulong ReadMsr(uint msr)
    {
        Assert.True(Apic.TryReadMsr(msr, out ulong value), $"RDMSR {msr:X} is #GP");
        return value;
    }

    internal void WriteMsr(uint msr, ulong value) => Assert.True(Apic.TryWriteMsr(msr, value), $"WRMSR {msr:X} of {value:X} is #GP");
}
