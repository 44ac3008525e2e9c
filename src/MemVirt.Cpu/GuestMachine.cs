using MemVirt.Core.Registers;
using MemVirt.Cpu.Interrupts;
using MemVirt.Cpu.Loading;
using MemVirt.Cpu.Machine;
using MemVirt.Cpu.Spaces;

namespace MemVirt.Cpu;

/// <summary>A guest: a processor, its memory and its devices. Guests of one process share nothing; each serves one thread.</summary>
internal sealed class GuestMachine : IProcessorBus, IDisposable
{
    private readonly Action<byte> _output;

    /// <summary>A guest after reset, with nothing loaded.</summary>
    /// <param name="space">Its memory, under a regime.</param>
    /// <param name="profile">Its processor.</param>
    /// <param name="output">Takes what it writes to its serial console.</param>
    /// <param name="start">The date and time it finds, UTC; null for 2020-01-01.</param>
    public GuestMachine(GuestSpace space, CpuProfile profile, Action<byte> output, DateTime? start = null)
    {
        _output = output;
        Space = space;
        Devices = new PcDevices(
            Clock, space.RamBytes, value => _output(value), Stop, start ?? new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        Processor = new Processor(space, this, profile);
        Devices.Interrupts.PendingChanged = Processor.RequestAttention;
    }

    /// <summary>The processor.</summary>
    public Processor Processor { get; }

    /// <summary>The memory.</summary>
    public GuestSpace Space { get; }

    /// <summary>The devices.</summary>
    public PcDevices Devices { get; }

    /// <inheritdoc/>
    public MachineClock Clock { get; } = new();

    /// <inheritdoc/>
    public IInterruptController Interrupts => Devices.Interrupts;

    /// <inheritdoc/>
    public bool IsStopping { get; private set; }

    /// <inheritdoc/>
    public bool MayWakeLater => false;

    /// <inheritdoc/>
    public ulong TaskPriority { get; set; }

    /// <summary>Registers as they are when nothing is loaded.</summary>
    public static PagingRegisters ResetRegisters => new() { Cr0 = Cr0.ProtectionEnable | 0x10 };

    /// <summary>Puts the processor's registers as a loader leaves them.</summary>
    public void Start(BootState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        Processor processor = Processor;
        var registers = new PagingRegisters { Cr0 = state.Cr0, Cr3 = state.Cr3, Cr4 = state.Cr4, Efer = state.Efer };
        Space.Load(in registers);
        for (int i = 0; i < state.GeneralRegisters.Count; i++)
        {
            processor.Register(i * 8) = state.GeneralRegisters[i];
        }

        processor.Rip = state.Rip;
        processor.Rflags = state.Rflags;
        processor.SetSegment(SegmentName.Cs, Segment(state.Code));
        foreach (SegmentName name in (ReadOnlySpan<SegmentName>)[SegmentName.Es, SegmentName.Ss, SegmentName.Ds, SegmentName.Fs, SegmentName.Gs])
        {
            processor.SetSegment(name, Segment(state.Data));
        }

        processor.Tables = new DescriptorTables
        {
            GdtBase = state.GlobalTable.Base,
            GdtLimit = state.GlobalTable.Limit,
            IdtBase = state.InterruptTable.Base,
            IdtLimit = state.InterruptTable.Limit,
            Ldt = Segment(state.LocalTable),
            Task = Segment(state.Task),
        };
        processor.ControlChanged();
        processor.ModeChanged();
    }

    /// <summary>Runs up to a time.</summary>
    public ProcessorStop Run(ulong until) => Processor.Run(until);

    /// <summary>Ends the run at the next block.</summary>
    public void Stop()
    {
        IsStopping = true;
        Processor.RequestAttention();
    }

    /// <inheritdoc/>
    public void Sleep(ulong now, ulong until)
    {
        // Virtual time passes at once.
    }

    /// <inheritdoc/>
    public uint ReadPort(ushort port, int sizeBytes) => Devices.Ports.Read(port, sizeBytes);

    /// <inheritdoc/>
    public void WritePort(ushort port, int sizeBytes, uint value) => Devices.Ports.Write(port, sizeBytes, value);

    /// <inheritdoc/>
    public ulong ReadMemory(ulong gpa, int sizeBytes) => sizeBytes == 8 ? ulong.MaxValue : (1UL << (sizeBytes * 8)) - 1;

    /// <inheritdoc/>
    public void WriteMemory(ulong gpa, int sizeBytes, ulong value)
    {
        // Nobody listens.
    }

    /// <inheritdoc/>
    public bool TryReadMsr(uint msr, out ulong value)
    {
        value = 0;
        return false;
    }

    /// <inheritdoc/>
    public bool TryWriteMsr(uint msr, ulong value) => false;

    /// <summary>A loader's attributes are those of a VMCS; the processor's stand where the descriptor has them.</summary>
    private static SegmentRegister Segment(in SegmentState state)
        => new()
        {
            Selector = state.Selector,
            Base = state.Base,
            Limit = state.Limit,
            Attributes = ((state.Attributes & 0xFF) << 8) | ((state.Attributes & 0xF000) << 8),
        };

    /// <inheritdoc/>
    public void Dispose()
    {
        Processor.Dispose();
        Space.Dispose();
    }
}
