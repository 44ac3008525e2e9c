using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MemVirt.Core;
using MemVirt.Core.Addresses;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;
using MemVirt.Cpu.Machine;
using MemVirt.Cpu.Spaces;

namespace MemVirt.Cpu;

/// <summary>
/// One x86-64 logical processor in protected mode, compatibility mode or 64-bit mode. Every access, fetch and table walk goes through
/// the MMU of its <see cref="GuestSpace"/>. Faults are precise: the state is that before the instruction. Serves one thread; once warm
/// it allocates nothing.
/// </summary>
internal sealed unsafe partial class Processor : IDisposable
{
    private const int VectorRegisterBytes = 16 * 16;
    private const ulong AlignmentMask = 1 << 18;

    /// <summary>The register file; see <see cref="RegisterFile"/>.</summary>
    internal readonly byte* R;

    /// <summary>XMM0 to XMM15, 16 bytes each.</summary>
    internal readonly byte* X;

    /// <summary>CF, PF, AF, ZF, SF and OF.</summary>
    internal LazyFlags Flags;

    /// <summary>The other bits of RFLAGS.</summary>
    internal uint SystemFlags = SystemFlag.AlwaysOne;

    /// <summary>Instructions that may still retire before somebody must look at the clock; not positive where somebody must.</summary>
    internal long Remaining;

    /// <summary>The virtual time at which <see cref="Remaining"/> is 0.</summary>
    internal ulong Horizon;

    /// <summary>RIP between blocks.</summary>
    internal ulong Rip;

    /// <summary>The segment registers.</summary>
    internal readonly SegmentRegister[] Segments = new SegmentRegister[6];

    /// <summary>GDTR, IDTR, LDTR and TR.</summary>
    internal DescriptorTables Tables;

    /// <summary>MSRs that are the processor's own.</summary>
    internal ModelSpecificRegisters Msrs = ModelSpecificRegisters.AtReset;

    /// <summary>CR2.</summary>
    internal ulong Cr2;

    /// <summary>DR0 to DR3, DR6, DR7.</summary>
    internal DebugRegisters Debug = DebugRegisters.AtReset;

    /// <summary>MXCSR.</summary>
    internal uint Mxcsr = 0x1F80;

    /// <summary>What the SSE instruction that executes has met so far.</summary>
    internal MemVirt.Cpu.FloatingPoint.Arithmetic.FloatFlags SimdFlags;

    private readonly SparseMemory _memory;
    private readonly Mmu _mmu;
    private readonly PagingUnit _unit;

    /// <summary>A processor after reset, at CPL 0 in protected mode without paging.</summary>
    /// <param name="space">The guest's memory, and how its addresses are translated.</param>
    /// <param name="bus">What lies outside the processor.</param>
    /// <param name="profile">What CPUID says.</param>
    internal Processor(GuestSpace space, IProcessorBus bus, CpuProfile profile)
    {
        Space = space;
        Bus = bus;
        Profile = profile;
        MemoryTypes = new MemoryTypeRegisters(profile.PhysicalAddressBits);
        _unit = space.Unit;
        _mmu = space.Unit.Mmu;
        _memory = space.Memory;
        R = (byte*)NativeMemory.AlignedAlloc(RegisterFile.Bytes, 64);
        X = (byte*)NativeMemory.AlignedAlloc(VectorRegisterBytes, 64);
        new Span<byte>(R, RegisterFile.Bytes).Clear();
        new Span<byte>(X, VectorRegisterBytes).Clear();
        Code = new CodeCache(space.Watch, _mmu);
        Builder = new BlockBuilder(this);
        Flags.Set(0);
        bus.Clock.DeadlineMoved = RequestAttention;
    }

    /// <summary>The guest's memory.</summary>
    internal GuestSpace Space { get; }

    /// <summary>What lies outside.</summary>
    internal IProcessorBus Bus { get; }

    /// <summary>What CPUID says.</summary>
    internal CpuProfile Profile { get; }

    /// <summary>The memory type ranges.</summary>
    internal MemoryTypeRegisters MemoryTypes { get; }

    /// <summary>Decoded code.</summary>
    internal CodeCache Code { get; }

    /// <summary>Decodes.</summary>
    internal BlockBuilder Builder { get; }

    /// <summary>The x87 unit.</summary>
    internal FloatingPoint.FloatingPointUnit FloatingPoint { get; } = new();

    /// <summary>What was counted.</summary>
    internal ProcessorStatistics Statistics { get; } = new();

    /// <summary>Who hears of instructions that are not implemented: RIP and which; null for nobody.</summary>
    internal Action<ulong, Iced.Intel.Code>? UnimplementedMet { get; set; }

    /// <summary>The paging unit.</summary>
    internal PagingUnit Unit => _unit;

    /// <summary>The control registers and what goes with them.</summary>
    internal ref readonly PagingRegisters Control => ref _unit.Registers;

    /// <summary>CPL.</summary>
    internal int CurrentPrivilegeLevel => _unit.Registers.CurrentPrivilegeLevel;

    /// <summary>Whether CS is a 64-bit code segment: 64-bit mode.</summary>
    internal bool IsLong { get; private set; }

    /// <summary>Whether SSE instructions may execute: CR0.EM and TS clear, CR4.OSFXSR set.</summary>
    internal bool AreVectorsEnabled { get; private set; }

    /// <summary>Whether IA32_EFER.LMA is set.</summary>
    internal bool IsLongModeActive => (_unit.Registers.Efer & Efer.LongModeActive) != 0;

    /// <summary>RIP of the block's first instruction.</summary>
    internal ulong BlockRip
    {
        get => *(ulong*)(R + RegisterFile.BlockRip);
        set => *(ulong*)(R + RegisterFile.BlockRip) = value;
    }

    /// <summary>RFLAGS.</summary>
    internal ulong Rflags
    {
        get => Flags.Value | SystemFlags;
        set
        {
            Flags.Set((uint)value);
            SystemFlags = ((uint)value & SystemFlag.Writable) | SystemFlag.AlwaysOne;
        }
    }

    /// <summary>What string instructions add to their indices: the operand's size, or less that with DF set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal long StringStep(int sizeBytes) => (SystemFlags & SystemFlag.Direction) == 0 ? sizeBytes : -sizeBytes;

    /// <summary>A general register, 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref ulong Register(int offset) => ref *(ulong*)(R + offset);

    /// <summary>Bits that the stack pointer has: 64 in 64-bit mode, else 32 or 16 by SS.</summary>
    internal ulong StackMask => IsLong ? ulong.MaxValue : Segments[(int)SegmentName.Ss].IsDefault32 ? uint.MaxValue : ushort.MaxValue;

    /// <summary>Frees the register files and the code.</summary>
    public void Dispose()
    {
        Code.Dispose();
        Builder.Dispose();
        NativeMemory.AlignedFree(R);
        NativeMemory.AlignedFree(X);
        NativeMemory.Free(_scratch);
        NativeMemory.Free(_log);
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Whether a register of an address that is not used yet takes one: a table's or a segment's base, an MSR. It has the bits that the
    /// processor has, whether CR4.LA57 is set or not; what is then reached by it, the mode's.
    /// </summary>
    internal bool IsBase(ulong linear) => GuestVirtualAddress.IsCanonical(linear, Profile.LinearAddress57 ? 57 : 48);

    /// <summary>CR0 or CR4 has changed.</summary>
    internal void ControlChanged()
    {
        const ulong Emulation = 1 << 2;
        const ulong TaskSwitched = 1 << 3;
        const ulong SaveVectors = 1 << 9;
        AreVectorsEnabled = (Control.Cr0 & (Emulation | TaskSwitched)) == 0 && (Control.Cr4 & SaveVectors) != 0;
    }

    /// <summary>A place in host memory, to the end of its frame.</summary>
    internal byte* HostPointer(ulong hpa) => (byte*)Unsafe.AsPointer(ref _memory.ToWrite(hpa));

    /// <summary>Puts a segment register's contents in force, its base into the register file with them.</summary>
    internal void SetSegment(SegmentName name, in SegmentRegister segment)
    {
        Segments[(int)name] = segment;
        int bit = 1 << (int)name;
        _checkedSegments = segment.IsFlat(name == SegmentName.Cs) ? _checkedSegments & ~bit : _checkedSegments | bit;
        *(ulong*)(R + RegisterFile.BaseOf(name)) = segment.Base;
        if (name == SegmentName.Cs || !IsLong)
        {
            ModeChanged();
        }
    }

    private int _checkedSegments;

    /// <summary>A segment register or EFER.LMA has changed, or TF, DR7, CPL with alignment checks: code is to be decoded for another mode.</summary>
    internal void ModeChanged()
    {
        ref SegmentRegister cs = ref Segments[(int)SegmentName.Cs];
        IsLong = IsLongModeActive && cs.IsLong;
        ulong legacy = ((ulong)(uint)_checkedSegments << CodeCache.CheckedSegmentsShift) | (cs.IsDefault32 ? CodeCache.Default32 : 0);
        _modeKey = IsLong ? CodeCache.LongMode : legacy;
        if ((Debug.Dr7 & Enables) != 0)
        {
            _modeKey |= CodeCache.Breakpoints;
        }

        if ((SystemFlags & SystemFlag.AlignmentCheck) != 0 && CurrentPrivilegeLevel == 3 && (Control.Cr0 & AlignmentMask) != 0)
        {
            _modeKey |= CodeCache.AlignmentChecked;
        }

        if ((SystemFlags & SystemFlag.Trap) != 0)
        {
            _modeKey |= CodeCache.SingleStep;
        }
    }

    /// <summary>Makes a level current; EFLAGS.AC goes with it.</summary>
    internal void SetPrivilege(int level)
    {
        bool changes = _observer != null && level != _observedLevel;
        if (changes)
        {
            FlushObserved();
        }

        _unit.ChangePrivilege((byte)level, (SystemFlags & SystemFlag.AlignmentCheck) != 0);
        if ((SystemFlags & SystemFlag.AlignmentCheck) != 0 || (_modeKey & CodeCache.AlignmentChecked) != 0)
        {
            ModeChanged();
        }

        if (changes)
        {
            _observedLevel = level;
            ObserveRegisters();
        }
    }
}
