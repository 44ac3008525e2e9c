namespace MemVirt.Cpu.Loading;

/// <summary>The mode a processor is started in.</summary>
public enum BootMode
{
    /// <summary>Protected mode, paging off, 32-bit code (Multiboot 1 §3.2).</summary>
    Protected32,

    /// <summary>64-bit mode (Linux Documentation/arch/x86/boot.rst, "64-bit Boot Protocol").</summary>
    Long64,
}

/// <summary>A segment register with its hidden part (Intel SDM Vol. 3A §3.4.3).</summary>
/// <param name="Selector">The visible part.</param>
/// <param name="Base">The linear address of its first byte.</param>
/// <param name="Limit">The offset of its last byte, granularity applied.</param>
/// <param name="Attributes">
/// Access rights as a VMCS holds them (Intel SDM Vol. 3C §24.4.1): type in bits 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15,
/// unusable 16.
/// </param>
public readonly record struct SegmentState(ushort Selector, ulong Base, uint Limit, uint Attributes);

/// <summary>GDTR or IDTR.</summary>
/// <param name="Base">The table's linear address.</param>
/// <param name="Limit">The offset of its last byte.</param>
public readonly record struct TableState(ulong Base, ushort Limit);

/// <summary>
/// What a loader leaves in a processor's registers when it starts a guest. Registers it does not name are as after reset; interrupts are
/// off, and address line 20 is not masked.
/// </summary>
public sealed record BootState
{
    /// <summary>The mode that the control registers below amount to.</summary>
    public required BootMode Mode { get; init; }

    /// <summary>Where execution begins.</summary>
    public required ulong Rip { get; init; }

    /// <summary>RFLAGS: nothing but bit 1, which is always set.</summary>
    public ulong Rflags { get; init; } = 2;

    /// <summary>The 16 general registers by their number in the encoding: RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15.</summary>
    public required IReadOnlyList<ulong> GeneralRegisters { get; init; }

    /// <summary>CR0.</summary>
    public required ulong Cr0 { get; init; }

    /// <summary>CR3.</summary>
    public required ulong Cr3 { get; init; }

    /// <summary>CR4.</summary>
    public required ulong Cr4 { get; init; }

    /// <summary>IA32_EFER.</summary>
    public required ulong Efer { get; init; }

    /// <summary>CS.</summary>
    public required SegmentState Code { get; init; }

    /// <summary>DS, ES, FS, GS and SS, which are all alike.</summary>
    public required SegmentState Data { get; init; }

    /// <summary>TR, as reset leaves it.</summary>
    public SegmentState Task { get; init; } = new(0, 0, 0xFFFF, BootDescriptors.TaskAttributes);

    /// <summary>LDTR, as reset leaves it.</summary>
    public SegmentState LocalTable { get; init; } = new(0, 0, 0xFFFF, BootDescriptors.LocalTableAttributes);

    /// <summary>GDTR; the table in memory holds <see cref="Code"/> and <see cref="Data"/>.</summary>
    public required TableState GlobalTable { get; init; }

    /// <summary>IDTR: no interrupt table until the guest has made one.</summary>
    public TableState InterruptTable { get; init; }

    internal static ulong[] Registers(ulong rax = 0, ulong rbx = 0, ulong rsp = 0, ulong rsi = 0)
    {
        var registers = new ulong[16];
        registers[0] = rax;
        registers[3] = rbx;
        registers[4] = rsp;
        registers[6] = rsi;
        return registers;
    }
}
