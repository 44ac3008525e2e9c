using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Architecture;

/// <summary>
/// A four-level guest under EPT with one page mapped at <see cref="Linear"/>: guest tables at guest frames 1 to 4, the page at guest
/// frame 5; guest frame n lies in host frame 0x100 + n; EPT tables at host frames 1 to 4. Tests change entries by their names.
/// </summary>
internal sealed class EptGuest : IDisposable
{
    internal const ulong Linear = 0x0000_0080_4020_1000;
    internal const ulong PageGpa = 0x5000;
    internal const ulong HostOfGuest = 0x10_0000;
    private const ulong EptRoot = 0x1000;
    private const ulong GuestRoot = 0x1000;
    private readonly SparseMemory _memory = new();

    internal EptGuest(EptSettings settings, PageModificationLog? log = null, ulong cr4 = 0, bool user = true)
    {
        for (ulong level = 3; level >= 1; level--)
        {
            Put(EptTable(level), EptTable(level - 1) | 7);
            Put(GuestEntry((int)level), (GuestTable(level - 1) | (user ? 7UL : 3UL)));
        }

        for (ulong frame = 1; frame <= 6; frame++)
        {
            Put(EptLeaf(frame << 12), (HostOfGuest + (frame << 12)) | 0x37);
        }

        Put(GuestEntry(0), PageGpa | (user ? 7UL : 3UL));
        Registers = new PagingRegisters
        {
            Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
            Cr3 = GuestRoot,
            Cr4 = Cr4.PhysicalAddressExtension | cr4,
            Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
        };
        var reader = new HostTableReader(_memory);
        var stage = new NestedStage<EptFormat, HostTableReader>(
            reader, EptRoot, context: 1, rules: SecondStageRules.Ept(settings), log: log);
        Source = new PagingSource<NestedStage<EptFormat, HostTableReader>, HostTableReader>(
            stage, reader, new GuestRules(ProcessorFeatures.Everything, Registers)) { Cr3 = GuestRoot };
    }

    internal PagingRegisters Registers { get; }

    internal PagingSource<NestedStage<EptFormat, HostTableReader>, HostTableReader> Source;

    internal static ulong GuestTable(ulong level) => 0x1000 * (4 - level);

    internal static ulong EptTable(ulong level) => 0x1000 * (4 - level);

    /// <summary>The host address of the guest's entry of a level for <see cref="Linear"/>.</summary>
    internal static ulong GuestEntry(int level)
        => HostOfGuest + GuestTable((ulong)level) + TableGeometry.EntryOffset(Linear, level);

    /// <summary>The host address of the EPT leaf of a guest-physical page.</summary>
    internal static ulong EptLeaf(ulong gpa) => EptTable(0) + (gpa >> 12 << 3);

    internal SparseMemory Memory => _memory;

    internal ulong this[ulong hostAddress] => _memory.Read(hostAddress);

    internal void Put(ulong hostAddress, ulong word)
    {
        _memory.Write(hostAddress, word);
    }

    internal Translation Access(AccessRights needed, ulong address = Linear) => Source.Translate(address, needed);

    public void Dispose() => _memory.Dispose();
}
