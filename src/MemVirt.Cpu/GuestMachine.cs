using System.Diagnostics.CodeAnalysis;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Shadow;
using MemVirt.Cpu.Interrupts;
using MemVirt.Cpu.Loading;
using MemVirt.Cpu.Machine;
using MemVirt.Cpu.Machine.Interrupts.Apic;
using MemVirt.Cpu.Spaces;

namespace MemVirt.Cpu;

/// <summary>
/// A guest: a processor, its memory and its devices. Guests of one process share nothing; each serves one thread at a time, but for
/// <see cref="Stop"/>, which any thread may call.
/// </summary>
public sealed class GuestMachine : IProcessorBus, IDisposable
{
    private volatile bool _isStopping;

    /// <summary>A guest after reset, with nothing loaded.</summary>
    /// <param name="options">What it has.</param>
    public GuestMachine(GuestOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Options = options;
        Space = GuestSpace.Create(options.Regime, options.MemoryBytes, options.Profile.Features, ResetRegisters);
        GuestMemoryMap map = GuestMemoryMap.Of(options.MemoryBytes);
        Devices = new PcDevices(Clock, new PcOptions
        {
            Start = options.Start,
            BytesBelow4GiB = map.LowEnd,
            BytesAbove4GiB = map.HighEnd - GuestMemoryMap.HighStart,
            Com1Output = options.Output,
            HasLocalApic = options.Profile.LocalApic,
            PhysicalAddressBits = options.Profile.PhysicalAddressBits,
        });
        Processor = new Processor(Space, this, options.Profile);
        Devices.InterruptPending = Processor.RequestAttention;
        if (Devices.LocalApic is { } apic)
        {
            apic.NmiRequested = Processor.RequestNonMaskable;
            apic.BecomeVirtualWire();
        }

        Devices.DebugExit.ExitRequested = EndRun;
        Devices.SystemControl.ResetRequested = Reset;
    }

    /// <summary>What it was made of.</summary>
    public GuestOptions Options { get; }

    /// <summary>The processor.</summary>
    internal Processor Processor { get; }

    /// <summary>The memory.</summary>
    internal GuestSpace Space { get; }

    /// <summary>The devices.</summary>
    public PcDevices Devices { get; }

    /// <inheritdoc/>
    public MachineClock Clock { get; } = new();

    /// <inheritdoc/>
    public IInterruptController Interrupts => Devices.Interrupts;

    /// <inheritdoc/>
    public bool IsStopping => _isStopping || _hasEnded;

    /// <summary>Who hears of every reference; set before the run, null for nobody.</summary>
    public IExecutionObserver? Observer
    {
        get => Processor.Observer;
        set => Processor.Observer = value;
    }

    /// <summary>What to tell of instructions that are not implemented: where, and which; null for nobody.</summary>
    public Action<ulong, string>? UnimplementedMet
    {
        set => Processor.UnimplementedMet = value is null ? null : (rip, code) => value(rip, code.ToString());
    }

    /// <summary>The guest's shadow pager; null under other regimes.</summary>
    public ShadowPager? Pager => (Space as ShadowSpace)?.Pager;

    /// <summary>Whether shadow paging follows the guest now.</summary>
    public bool IsShadowed => Space is ShadowSpace { IsShadowed: true };

    /// <summary>Host memory.</summary>
    public SparseMemory HostMemory => Space.Memory;

    /// <summary>The guest's physical memory, as shadow paging backs it; null under other regimes.</summary>
    public GuestMemory? GuestMemory => (Space as ShadowSpace)?.GuestMemory;

    /// <summary>Whether it sleeps with interrupts on, so that something typed would wake it.</summary>
    public bool AwaitsInput => Processor.IsHalted && (Processor.SystemFlags & SystemFlag.Interrupt) != 0;

    /// <summary>The control registers.</summary>
    public PagingRegisters Registers => Processor.Control;

    /// <summary>Where it is: RIP, CPL and mode, in words.</summary>
    public string Where
    {
        get
        {
            string mode = Processor.IsLong ? "64-bit mode" : Processor.IsLongModeActive ? "compatibility mode" : "32-bit protected mode";
            ulong rip = Processor.TripleFaultRip != 0 ? Processor.TripleFaultRip : Processor.Rip;
            return $"RIP 0x{rip:x}, CPL {Processor.CurrentPrivilegeLevel}, {mode}";
        }
    }

    /// <inheritdoc/>
    public bool MayWakeLater => false;

    /// <inheritdoc/>
    public ulong TaskPriority
    {
        get => Devices.LocalApic?.TaskPriorityClass ?? 0UL;
        set
        {
            if (Devices.LocalApic is { } apic)
            {
                apic.TaskPriorityClass = (byte)value;
            }
        }
    }

    /// <inheritdoc/>
    public ulong TimeStamp
    {
        get => Devices.TimeStamps.Value;
        set => Devices.TimeStamps.Value = value;
    }

    /// <inheritdoc/>
    public ulong TimeStampAdjust
    {
        get => Devices.TimeStamps.Adjust;
        set => Devices.TimeStamps.Adjust = value;
    }

    /// <inheritdoc/>
    public bool HasLocalApic => Devices.LocalApic is { Mode: not ApicMode.Disabled };

    /// <summary>Loads a Linux kernel and starts the processor in it.</summary>
    /// <exception cref="LoadException">It cannot be loaded.</exception>
    public void Load(LinuxBootRequest request) => Start(LinuxLoader.Load(request, Ram()));

    /// <summary>Loads a Multiboot kernel and starts the processor in it.</summary>
    /// <exception cref="LoadException">It cannot be loaded.</exception>
    public void Load(MultibootRequest request) => Start(MultibootLoader.Load(request, Ram()));

    /// <summary>What was counted so far.</summary>
    public GuestSummary Summary() => GuestSummary.Of(this);

    internal static PagingRegisters ResetRegisters => new() { Cr0 = Cr0.ProtectionEnable | 0x10 };

    /// <summary>Puts the processor's registers as a loader leaves them.</summary>
    internal void Start(BootState state)
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

    /// <summary>Runs up to a time, or until it ends for a reason.</summary>
    /// <param name="until">Virtual time, in nanoseconds from reset.</param>
    public GuestStop Run(ulong until)
    {
        ProcessorStop stop = Processor.Run(until);
        Processor.FlushObserved();
        return stop switch
        {
            ProcessorStop.TimeOver => GuestStop.TimeOver,
            ProcessorStop.Halted => GuestStop.Halted,
            ProcessorStop.TripleFault => GuestStop.TripleFault,
            ProcessorStop.UnhandledStageFault => GuestStop.Unhandled,
            _ => Devices.DebugExit.ExitCode is not null ? GuestStop.Exit : _wasReset ? GuestStop.Reset : GuestStop.Stopped,
        };
    }

    /// <summary>Lets virtual time pass between two runs without an instruction: a guest slower than the clock does not fall behind it.</summary>
    /// <param name="nanoseconds">How much.</param>
    public void Skip(ulong nanoseconds) => Processor.Skip(nanoseconds);

    /// <summary>Ends the run soon; from any thread.</summary>
    public void Stop() => _isStopping = true;

    /// <summary>Types at the guest's serial console; returns how many bytes there was room for.</summary>
    public int Type(ReadOnlySpan<byte> bytes) => Devices.Com1.Receive(bytes);

    private bool _hasEnded;
    private bool _wasReset;

    private void Reset()
    {
        _wasReset = true;
        EndRun();
    }

    private void EndRun()
    {
        _hasEnded = true;
        Processor.RequestAttention();
    }

    private SparseGuestMemory Ram() => new(Space.Memory, Space.RamBytes, frame => Space.TryResolve(frame, out ulong hpa) ? hpa : 0);

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
    public ulong ReadMemory(ulong gpa, int sizeBytes)
        => TryApic(gpa, out LocalApic? apic, out ulong offset) ? apic.Read(offset, sizeBytes)
            : sizeBytes == 8 ? ulong.MaxValue : (1UL << (sizeBytes * 8)) - 1;

    /// <inheritdoc/>
    public void WriteMemory(ulong gpa, int sizeBytes, ulong value)
    {
        if (TryApic(gpa, out LocalApic? apic, out ulong offset))
        {
            apic.Write(offset, sizeBytes, value);
        }
    }

    /// <inheritdoc/>
    public bool TryReadMsr(uint msr, out ulong value)
    {
        value = 0;
        return Devices.LocalApic is { } apic && LocalApic.HasMsr(msr) && apic.TryReadMsr(msr, out value);
    }

    /// <inheritdoc/>
    public bool TryWriteMsr(uint msr, ulong value)
        => Devices.LocalApic is { } apic && LocalApic.HasMsr(msr) && apic.TryWriteMsr(msr, value);

    private bool TryApic(ulong gpa, [NotNullWhen(true)] out LocalApic? apic, out ulong offset)
    {
        apic = Devices.LocalApic;
        offset = gpa - (apic?.BaseAddress ?? 0);
        return apic is { Mode: ApicMode.XApic } && offset < LocalApic.LengthBytes;
    }

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
