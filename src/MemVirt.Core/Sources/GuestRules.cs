using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.MemoryTypes;
using MemVirt.Core.Registers;

namespace MemVirt.Core.Sources;

/// <summary>
/// What a guest's registers and processor make of its page tables: the entries' rules and the policy of accesses. Follows the
/// registers in place, so that a change of them takes effect at the next walk and allocates nothing.
/// </summary>
public sealed class GuestRules
{
    private readonly ProcessorFeatures _features;
    private ulong _cr0;
    private ulong _cr4;
    private ulong _efer;
    private GuestRules? _ofShadowTables;

    /// <summary>Shared by whoever names no rules; never updated.</summary>
    internal static readonly GuestRules Default = new();

    /// <summary>What <see cref="IPageTableFormat.DefaultRules"/> say of entries, and the policy of four-level paging; never updated.</summary>
    internal static GuestRules DefaultOf<TFormat>()
        where TFormat : struct, IPageTableFormat
        => OfFormat<TFormat>.Rules;

    /// <summary>Four-level paging with CR0.WP and EFER.NXE, every optional control off.</summary>
    public GuestRules()
        : this(
            ProcessorFeatures.Everything,
            new PagingRegisters
            {
                Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
                Cr4 = Cr4.PhysicalAddressExtension,
                Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
            })
    {
    }

    /// <summary>The rules of a processor with these registers.</summary>
    public GuestRules(ProcessorFeatures features, in PagingRegisters registers)
    {
        _features = features;
        Refill(in registers);
    }

    /// <summary>What is made of entries.</summary>
    public EntryRules Entries { get; private init; } = new();

    /// <summary>Which accesses are allowed.</summary>
    public AccessPolicy Policy { get; private init; } = new();

    /// <summary>The paging mode.</summary>
    public PagingMode Mode { get; private set; }

    /// <summary>Whether CR4.PSE lets PDEs of 32-bit paging map 4 MiB.</summary>
    public bool LargePages32 { get; private set; }

    /// <summary>Whether the leaf's G bit is looked at: CR4.PGE.</summary>
    public bool GlobalPages
    {
        get => GlobalBit != 0;
        private set => GlobalBit = value ? X64FourLevel.Global : 0;
    }

    /// <summary>The leaf's G bit where it is looked at, else 0.</summary>
    internal ulong GlobalBit { get; private set; }

    /// <summary>Whether pages have protection keys: CR4.PKE or CR4.PKS.</summary>
    public bool ProtectionKeys { get; private set; }

    /// <summary>What decides memory types; null, as at first, where nobody asks for them.</summary>
    public MemoryTypeRules? MemoryTypes { get; set; }

    /// <summary>CR4.SMEP.</summary>
    internal bool SupervisorExecutionPrevention => (_cr4 & Cr4.SupervisorExecutionPrevention) != 0;

    /// <summary>CR4.SMAP.</summary>
    internal bool SupervisorAccessPrevention => (_cr4 & Cr4.SupervisorAccessPrevention) != 0;

    /// <summary>
    /// The rules of shadow tables for this guest: its policy and CR4.PGE, which follow its registers, but CR0.WP, which is set; and the
    /// host's entries.
    /// </summary>
    internal GuestRules OfShadowTables()
    {
        if (_ofShadowTables is null)
        {
            var rules = new GuestRules();
            rules.ShadowTablesOf(new PagingRegisters { Cr0 = _cr0, Cr4 = _cr4, Efer = _efer });
            _ofShadowTables = rules;
        }

        return _ofShadowTables;
    }

    /// <summary>Follows the registers. Cost: some nanoseconds, unless CR0, CR4 or EFER changed.</summary>
    public void Update(in PagingRegisters registers)
    {
        if ((registers.Cr0, registers.Cr4, registers.Efer) != (_cr0, _cr4, _efer))
        {
            Refill(in registers);
        }
        else
        {
            Policy.UpdateKeys(in registers);
        }
    }

    private void Refill(in PagingRegisters registers)
    {
        (_cr0, _cr4, _efer) = (registers.Cr0, registers.Cr4, registers.Efer);
        Mode = registers.Mode;
        LargePages32 = (registers.Cr4 & Cr4.PageSizeExtensions) != 0;
        ProtectionKeys = (registers.Cr4 & (Cr4.ProtectionKeysUser | Cr4.ProtectionKeysSupervisor)) != 0;
        GlobalPages = (registers.Cr4 & Cr4.PageGlobalEnable) != 0;
        Policy.Update(in registers);
        _ofShadowTables?.ShadowTablesOf(in registers);
        bool noExecute = (registers.Efer & Efer.NoExecuteEnable) != 0;
        switch (Mode)
        {
            case PagingMode.Bits32:
                Bits32Format<On>.SetRules(Entries, _features);
                break;
            case PagingMode.Pae:
                PaeFormat.SetRules(Entries, _features, noExecute);
                break;
            default:
                X64FourLevel.SetRules(Entries, _features, noExecute);
                break;
        }
    }

    /// <summary>Makes these the rules of shadow tables for a guest with such registers.</summary>
    private void ShadowTablesOf(in PagingRegisters registers)
    {
        GlobalPages = (registers.Cr4 & Cr4.PageGlobalEnable) != 0;
        Policy.Update(registers with { Cr0 = registers.Cr0 | Cr0.WriteProtect });
    }

    private static class OfFormat<TFormat>
        where TFormat : struct, IPageTableFormat
    {
        internal static readonly GuestRules Rules = new() { Entries = TFormat.DefaultRules };
    }
}
