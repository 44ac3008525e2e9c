using MemVirt.Native.Guests;
using MemVirt.Native.Kvm;

namespace MemVirt.Native.Counts;

/// <summary>
/// The guest tables of an experiment: 8,192 pages of 4 KiB from <see cref="Base"/>, and a window through which the guest sees its tables.
/// </summary>
internal static class ShadowLayout
{
    internal const int Pages = 8192;
    internal const ulong Base = 0x4000_0000;
    internal const ulong Window = 0x8000_0000;
    internal const ulong WindowEnd = Window + (511 << 12);
    internal const ulong MemoryBytes = 64 << 20;
    internal const ulong Root = GuestLayout.Arena;
    internal const ulong Directory = Root + 0x1000;

    /// <summary>Another root, which leads to the window and not to the pages.</summary>
    internal const ulong OtherRoot = Root + 0x4000;
    internal const ulong LeafTables = Root + 0x1_0000;
    internal const ulong TablesEnd = LeafTables + (LeafTableCount * 4096);
    internal const ulong Data = 32 << 20;
    internal const ulong PlainEntry = 0x67;
    private const ulong LeafTableCount = Pages / 512;
    private const ulong WindowDirectory = Root + 0x2000;
    private const ulong WindowTable = Root + 0x3000;
    private const ulong OtherPointerTable = Root + 0x5000;
    private const ulong AccessedDirty = 0x60;
    private const ulong PageSize = 0x80;

    /// <summary>The linear address at which the guest sees a word of its tables.</summary>
    internal static ulong InWindow(ulong entryAddress) => Window + (entryAddress - Root);

    /// <summary>Writes the tables. A and D of the upper levels are set; those of the leaves are the experiment's.</summary>
    internal static void Write(VirtualMachine machine, ShadowMapping mapping)
    {
        machine.Word(Root) = GuestImage.FixedRootEntry;
        machine.Word(GuestLayout.FixedPointerTable + (Base >> 30 << 3)) = Directory | PlainEntry;
        machine.Word(GuestLayout.FixedPointerTable + (Window >> 30 << 3)) = WindowDirectory | PlainEntry;
        machine.Word(OtherRoot) = OtherPointerTable | PlainEntry;
        machine.Word(OtherPointerTable) = machine.Word(GuestLayout.FixedPointerTable);
        machine.Word(OtherPointerTable + (Window >> 30 << 3)) = WindowDirectory | PlainEntry;
        machine.Word(WindowDirectory) = WindowTable | PlainEntry;
        for (ulong page = 0; page < 512; page++)
        {
            machine.Word(WindowTable + (page * 8)) = (Root + (page << 12)) | PlainEntry;
        }

        for (ulong table = 0; table < LeafTableCount; table++)
        {
            machine.Word(Directory + (table * 8)) = mapping.LargePages
                ? (Data + (table << 21)) | PlainEntry | PageSize
                : (LeafTables + (table << 12)) | PlainEntry;
        }

        for (ulong page = 0; page < Pages; page++)
        {
            ulong bits = PlainEntry & ~(AccessedDirty ^ mapping.LeafBits);
            machine.Word(LeafTables + (page * 8)) = mapping.LargePages ? 0 : (Data + (page << 12)) | bits;
            machine.Bytes(Data + (page << 12), 1)[0] = 1; // the host has a page there, so that KVM can map it ahead
        }
    }
}

/// <summary>How the pages are mapped: A and D of the leaves (bits 5 and 6), or 2 MiB pages.</summary>
internal readonly record struct ShadowMapping(ulong LeafBits, bool LargePages = false);
