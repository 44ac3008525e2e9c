using MemVirt.Cpu.Machine.Timers;

namespace MemVirt.Cpu.Machine.Interrupts.Apic;

/// <summary>
/// The local APIC of the machine's only processor, in front of its 8259A pair (Intel SDM Vol. 3A ch. 11, in older editions ch. 10):
/// registers in memory at <see cref="BaseAddress"/> or in MSRs, timer, interrupts to itself. The 8259A's interrupts pass while it is
/// disabled, globally or by software, as after reset, and while LINT0 is in ExtINT mode and not masked. Of both, its own go first.
/// Allocates nothing after construction.
/// </summary>
public sealed class LocalApic : IInterruptController, IMemoryDevice
{
    /// <summary>Where the registers are after reset.</summary>
    public const ulong DefaultBaseAddress = 0xFEE0_0000;

    /// <summary>Bytes that the registers take.</summary>
    public const ulong LengthBytes = 0x1000;

    private const uint BaseMsr = 0x1B;
    private const uint DeadlineMsr = 0x6E0;
    private const uint FirstX2Msr = 0x800;
    private const uint LastX2Msr = 0x8FF;
    private const ulong IsBootProcessor = 1UL << 8;
    private const ulong Extended = 1UL << 10;
    private const ulong Enabled = 1UL << 11;

    private readonly Pic8259 _pic;
    private readonly ApicUnit _unit;
    private readonly ulong _baseBits;
    private ulong _base = DefaultBaseAddress | Enabled | IsBootProcessor;
    private bool _wasPending;

    /// <summary>A local APIC after reset, in xAPIC mode.</summary>
    /// <param name="clock">The virtual time.</param>
    /// <param name="pic">What LINT0 is wired to.</param>
    /// <param name="timeStamps">What deadlines are told in.</param>
    /// <param name="timerHertz">The timer's frequency before it is divided, 1 to 18 GHz.</param>
    /// <param name="physicalAddressBits">MAXPHYADDR, 32 to 52: what is above is reserved in IA32_APIC_BASE.</param>
    public LocalApic(MachineClock clock, Pic8259 pic, TimeStampCounter timeStamps, ulong timerHertz, int physicalAddressBits)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(pic);
        ArgumentNullException.ThrowIfNull(timeStamps);
        ArgumentOutOfRangeException.ThrowIfLessThan(physicalAddressBits, 32);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(physicalAddressBits, 52);
        _pic = pic;
        _unit = new ApicUnit(clock, timerHertz, timeStamps, Announce);
        _baseBits = ((1UL << physicalAddressBits) - 1) & ~(LengthBytes - 1);
        pic.PendingChanged = PicChanged;
    }

    /// <summary>Called where <see cref="IsPending"/> becomes true, and nowhere else; null for nobody.</summary>
    public Action? BecamePending { get; set; }

    /// <summary>Called where the guest sends itself an NMI, or LINT0 is one; null for nobody.</summary>
    public Action? NmiRequested
    {
        get => _unit.NmiRequested;
        set => _unit.NmiRequested = value;
    }

    /// <summary>Called where the guest sends itself an INIT; null for nobody.</summary>
    public Action? InitRequested
    {
        get => _unit.InitRequested;
        set => _unit.InitRequested = value;
    }

    /// <summary>Called where IA32_APIC_BASE changed: <see cref="Mode"/> or <see cref="BaseAddress"/>; null for nobody.</summary>
    public Action? BaseChanged { get; set; }

    /// <summary>The guest-physical address of the registers, in xAPIC mode.</summary>
    public ulong BaseAddress => _base & _baseBits;

    /// <summary>Whether and how the registers are reached.</summary>
    public ApicMode Mode => _unit.Mode;

    /// <inheritdoc/>
    public bool IsPending => _unit.HasInterrupt || (PassesPic && _pic.IsPending);

    /// <summary>
    /// CR8: TPR bits 7:4, 0 to 15. While the APIC is globally disabled it reads as 0 and a write is lost. A value above 15, which is #GP,
    /// is the processor's to refuse.
    /// </summary>
    public byte TaskPriorityClass
    {
        get => (byte)(_unit.TaskPriority >> 4);
        set
        {
            if (Mode != ApicMode.Disabled)
            {
                _unit.TaskPriority = (uint)value << 4;
                Announce();
            }
        }
    }

    private bool PassesPic => Mode == ApicMode.Disabled || !_unit.IsSoftwareEnabled || _unit.IsVirtualWire;

    /// <inheritdoc/>
    public byte Acknowledge()
    {
        byte vector = _unit.HasInterrupt ? _unit.Take() : PassesPic ? _pic.Acknowledge() : _unit.SpuriousVector;
        Announce();
        return vector;
    }

    /// <summary>
    /// Reads a register's bytes. Those beyond its 4 read as 0, a register that there is not reads as 0 and is an error in ESR; outside
    /// xAPIC mode all ones.
    /// </summary>
    public ulong Read(ulong offset, int sizeBytes)
    {
        ulong mask = ulong.MaxValue >> (64 - (8 * sizeBytes));
        if (Mode != ApicMode.XApic)
        {
            return mask;
        }

        int register = (int)(offset >> 4) & 0xFF;
        int firstBit = 8 * (int)(offset & 0xF);
        ulong value = 0;
        if (ApicRegister.IsInMemory(register))
        {
            value = firstBit < 32 ? (ulong)_unit.Read(register) >> firstBit : 0;
        }
        else
        {
            _unit.RejectRegister();
        }

        Announce();
        return value & mask;
    }

    /// <summary>
    /// Writes a register: 4 bytes, of 8 the low ones, at a multiple of 16. What is narrower or elsewhere, which the manual leaves
    /// undefined, is lost; a register that there is not is an error in ESR; outside xAPIC mode nothing happens.
    /// </summary>
    public void Write(ulong offset, int sizeBytes, ulong value)
    {
        if (Mode != ApicMode.XApic || (offset & 0xF) != 0 || sizeBytes < 4)
        {
            return;
        }

        int register = (int)(offset >> 4) & 0xFF;
        if (ApicRegister.IsInMemory(register))
        {
            _unit.Write(register, (uint)value);
        }
        else
        {
            _unit.RejectRegister();
        }

        Announce();
    }

    /// <summary>Whether an MSR is one of the local APIC's, so that a false from the two below means #GP(0).</summary>
    public static bool HasMsr(uint msr) => msr is BaseMsr or DeadlineMsr or (>= FirstX2Msr and <= LastX2Msr);

    /// <summary>
    /// Virtual-wire mode, in which a PC's firmware leaves it (Intel MultiProcessor Specification 1.4 §3.6.2.2): enabled, LINT0 what the 8259 says,
    /// LINT1 an NMI.
    /// </summary>
    public void BecomeVirtualWire()
    {
        const uint EnabledAndSpurious = 0x1FF;
        const uint ExternalLevel = 0x8700;
        const uint NonMaskable = 0x400;
        _unit.Write(ApicRegister.SpuriousInterrupt, EnabledAndSpurious);
        _unit.Write(ApicRegister.LvtLint0, ExternalLevel);
        _unit.Write(ApicRegister.LvtLint1, NonMaskable);
        Announce();
    }

    /// <summary>RDMSR of IA32_APIC_BASE, IA32_TSC_DEADLINE or, in x2APIC mode, of a register (§11.12.1.2).</summary>
    /// <returns>Whether it is read; otherwise it is #GP(0).</returns>
    public bool TryReadMsr(uint msr, out ulong value)
    {
        int register = (int)(msr - FirstX2Msr);
        bool isRegister = msr is >= FirstX2Msr and <= LastX2Msr;
        value = 0;
        switch (msr)
        {
            case BaseMsr:
                value = _base;
                return true;
            case DeadlineMsr:
                value = _unit.Deadline;
                return true;
            case var _ when isRegister && Mode == ApicMode.X2Apic && ApicRegister.IsReadableMsr(register):
                ulong high = register == ApicRegister.Command ? (ulong)_unit.Read(ApicRegister.CommandHigh) << 32 : 0;
                value = high | _unit.Read(register);
                Announce();
                return true;
            default:
                return false;
        }
    }

    /// <summary>WRMSR of IA32_APIC_BASE, IA32_TSC_DEADLINE or, in x2APIC mode, of a register (§11.12.1.2).</summary>
    /// <returns>Whether it is written; otherwise it is #GP(0) and nothing changed.</returns>
    public bool TryWriteMsr(uint msr, ulong value)
    {
        int register = (int)(msr - FirstX2Msr);
        bool isRegister = msr is >= FirstX2Msr and <= LastX2Msr;
        switch (msr)
        {
            case BaseMsr:
                return TrySetBase(value);
            case DeadlineMsr:
                _unit.Deadline = value;
                break;
            case var _ when isRegister && Mode == ApicMode.X2Apic && ApicRegister.IsWritableMsr(register, value):
                if (register == ApicRegister.Command)
                {
                    _unit.Write(ApicRegister.CommandHigh, (uint)(value >> 32));
                }

                _unit.Write(register, (uint)value);
                break;
            default:
                return false;
        }

        Announce();
        return true;
    }

    // EXTD without EN, into x2APIC mode from disabled and out of it to xAPIC mode are #GP (§11.12.5).
    private bool TrySetBase(ulong value)
    {
        ulong defined = _baseBits | IsBootProcessor | Extended | Enabled;
        bool enables = (value & Enabled) != 0;
        bool extends = (value & Extended) != 0;
        ApicMode next = !enables ? ApicMode.Disabled : extends ? ApicMode.X2Apic : ApicMode.XApic;
        bool isForbidden = (extends && !enables)
            || (Mode, next) is (ApicMode.Disabled, ApicMode.X2Apic) or (ApicMode.X2Apic, ApicMode.XApic);
        if ((value & ~defined) != 0 || isForbidden)
        {
            return false;
        }

        bool changes = value != _base;
        _base = value;
        _unit.Mode = next;
        if (next == ApicMode.Disabled)
        {
            _unit.Reset();
        }

        Announce();
        if (changes)
        {
            BaseChanged?.Invoke();
        }

        return true;
    }

    private void PicChanged()
    {
        _unit.SetLint0(_pic.IsPending);
        Announce();
    }

    private void Announce()
    {
        bool isPending = IsPending;
        bool rises = isPending && !_wasPending;
        _wasPending = isPending;
        if (rises)
        {
            BecamePending?.Invoke();
        }
    }
}
