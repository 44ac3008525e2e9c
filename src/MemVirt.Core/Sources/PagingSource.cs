using System.Diagnostics;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.MemoryTypes;
using MemVirt.Core.Registers;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Sources;

/// <summary>Guest paging in whatever mode the guest's registers choose, over a second stage: the source of a full virtual processor.</summary>
/// <param name="stage">The second stage.</param>
/// <param name="reader">Reads entries.</param>
/// <param name="rules">What the registers make of tables and accesses; the owner updates it.</param>
/// <param name="caches">Paging-structure caches, or null.</param>
public struct PagingSource<TStage, TReader>(TStage stage, TReader reader, GuestRules rules, PagingStructureCaches? caches = null)
    : IPagingSource
    where TStage : struct, ISecondStage
    where TReader : struct, ITableReader
{
    private const ulong Cr3Frame32 = 0xFFFF_F000;
    private const ulong EntryPresent = 1;
    private TStage _stage = stage;
    private TReader _reader = reader;

    /// <inheritdoc/>
    public ulong Cr3 { readonly get; set; }

    /// <summary>The second stage, to switch its root.</summary>
    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public ref TStage Stage => ref _stage;

    /// <inheritdoc/>
    public uint Context { readonly get; set; }

    /// <inheritdoc/>
    public readonly bool HasTableCaches => caches is not null;

    /// <inheritdoc/>
    public readonly AccessPolicy Policy => rules.Policy;

    /// <inheritdoc/>
    public PageDirectoryPointers Pdptes { readonly get; set; }

    /// <inheritdoc/>
    public bool TryReadPdptes(ulong cr3, out PageDirectoryPointers pointers, out SecondStageFault fault)
    {
        const ulong LinearAddressBits = 0x180;
        ulong table = PageDirectoryPointers.TableAddress(cr3);
        pointers = default;
        fault = default;
        ulong host = _stage.Translate(table, AccessRights.Read | AccessRights.User, out _, out _);
        if (host == ITableLocator.Unreachable)
        {
            fault = _stage.Fault with { Code = _stage.Fault.Code & ~LinearAddressBits };
            return false;
        }

        pointers = new PageDirectoryPointers(ReadPdpte(host, 0), ReadPdpte(host, 1), ReadPdpte(host, 2), ReadPdpte(host, 3));
        return true;
    }

    /// <inheritdoc/>
    public readonly int LinearAddressBits
        => rules.Mode == PagingMode.FourLevel ? GuestVirtualAddress.FourLevelBits : GuestVirtualAddress.FiveLevelBits;

    /// <inheritdoc/>
    public Translation Translate(ulong address, AccessRights needed)
    {
        switch (rules.Mode)
        {
            case PagingMode.FourLevel:
                return GuestWalk<X64FourLevel, TStage, TReader>.Translate(
                    ref _stage, ref _reader, TableKind.Guest, rules, caches, Context, Cr3 & AddressBits.Frame, address, needed);
            case PagingMode.FiveLevel:
                return GuestWalk<FiveLevels<X64FourLevel>, TStage, TReader>.Translate(
                    ref _stage, ref _reader, TableKind.Guest, rules, caches, Context, Cr3 & AddressBits.Frame, address, needed);
            case PagingMode.None:
                return TranslateWithoutPaging(address, needed);
            default:
                return TranslateLegacy(address & uint.MaxValue, needed);
        }
    }

    /// <inheritdoc/>
    public readonly void RegistersChanged(in PagingRegisters registers)
    {
        // The rules are asked at every walk.
    }

    /// <inheritdoc/>
    public readonly bool TakeFlush() => false;

    /// <inheritdoc/>
    public readonly void ClearTables() => caches?.Clear();

    /// <inheritdoc/>
    public bool Invalidate(in TlbInvalidation invalidation, uint context)
        => SourceInvalidation.Apply(in invalidation, context, caches, ref _stage);

    /// <summary>PAE and 32-bit paging; they use no paging-structure caches, as PDEs alone would be held.</summary>
    private Translation TranslateLegacy(ulong address, AccessRights needed)
    {
        if (rules.Mode == PagingMode.Bits32)
        {
            ulong root = Cr3 & Cr3Frame32;
            return rules.LargePages32
                ? GuestWalk<Bits32Format<On>, TStage, TReader>.Translate(
                    ref _stage, ref _reader, TableKind.Guest, rules, null, Context, root, address, needed)
                : GuestWalk<Bits32Format<Off>, TStage, TReader>.Translate(
                    ref _stage, ref _reader, TableKind.Guest, rules, null, Context, root, address, needed);
        }

        Debug.Assert(rules.Mode == PagingMode.Pae, "Every mode has its case.");
        ulong pdpte = Pdptes.Of((uint)address);
        return (pdpte & EntryPresent) == 0
            ? Translation.Fault(TranslationStatus.GuestNotPresent, code: (ulong)rules.Policy.NotPresent(needed))
            : GuestWalk<PaeFormat, TStage, TReader>.Translate(
                ref _stage, ref _reader, TableKind.Guest, rules, null, Context, pdpte & AddressBits.Frame, address, needed);
    }

    /// <summary>CR0.PG is 0: every linear address is a physical one and a user-mode one (Intel SDM Vol. 3C §28.3.3.2).</summary>
    private Translation TranslateWithoutPaging(ulong address, AccessRights needed)
    {
        const AccessRights Guest = AccessRights.All;
        AccessRights access = (needed & AccessRights.All) | AccessRights.UserExecute;
        ulong hpa = _stage.Translate(address, access, out int level, out AccessRights granted);
        if (hpa == ITableLocator.Unreachable)
        {
            return GuestWalk<X64FourLevel, TStage, TReader>.FaultOf(ref _stage, _stage.DescribeLinearAddress(Guest, needed), isTable: false);
        }

        ulong pageMask = ~((1UL << TableGeometry.ShiftOf(level)) - 1);
        bool storeOk = _stage.LeafDirty && (granted & AccessRights.Write) != 0;
        AccessRights rights = GuestWalk<X64FourLevel, TStage, TReader>.Combine(Guest, granted);
        Translation translation = Translation.Completed(hpa & pageMask, address & pageMask, level, rights, storeOk);
        return rules.MemoryTypes is not { } types
            ? translation
            : translation.WithMemoryType(_stage.MemoryTypeOf(types, MemoryType.WriteBack, hpa));
    }

    private ulong ReadPdpte(ulong hostTable, int number) => _reader.Read(hostTable + ((ulong)number * 8), TableKind.Guest, level: 2);
}
