using System.Buffers.Binary;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;
using MemVirt.Core.Memory;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Examples;

/// <summary>EPT tables in a dump of host memory, walked where they lie: a reader of one's own, and nothing is copied.</summary>
public static class DumpWalker
{
    private const AccessRights Shown = AccessRights.Read | AccessRights.Write | AccessRights.Execute;

    public static void Run(TextWriter output)
    {
        (byte[] dump, ulong root) = MakeDump();
        var stage = new NestedStage<EptFormat, DumpReader>(new DumpReader(dump), root, context: 1);
        foreach (ulong gpa in new ulong[] { 0x1234, 0x40_0000, 0x80_0000 })
        {
            ulong hpa = stage.Translate(gpa, AccessRights.Read, out int level, out AccessRights rights);
            output.WriteLine(hpa == ITableLocator.Unreachable
                ? $"0x{gpa:x}: {stage.Fault.Status}"
                : $"0x{gpa:x}: host 0x{hpa:x}, {PageSizeExtensions.AtLevel(level)}, {rights & Shown}");
        }
    }

    /// <summary>Entries of a dump; a dump is never written to, so accessed flags are left as they are.</summary>
    private readonly struct DumpReader(byte[] dump) : ITableReader
    {
        public ulong Read(ulong hostAddress, TableKind kind, int level)
            => hostAddress + 8 <= (ulong)dump.Length ? BinaryPrimitives.ReadUInt64LittleEndian(dump.AsSpan((int)hostAddress)) : 0;

        public bool TryReplace(ulong hostAddress, ulong expected, ulong replacement) => true;
    }

    /// <summary>In place of a file: 64 KiB of host memory with a page of 4 KiB and one of 2 MiB in its EPT tables.</summary>
    private static (byte[] Dump, ulong Root) MakeDump()
    {
        using var memory = new SparseMemory();
        PooledTableSpace tables = new TablePool(memory, new FrameAllocator(0x1000, 0x1_0000)).Space;
        ulong root = tables.AllocateTable();
        PageTableEditor<EptFormat, PooledTableSpace>.Map(
            ref tables, root, 0x1000, HostPhysicalAddress.Create(0x7000), PageSize.Size4K, AccessRights.Read)
            .LeaveStale("a dump, no processor");
        PageTableEditor<EptFormat, PooledTableSpace>.Map(
            ref tables, root, 0x40_0000, HostPhysicalAddress.Create(0x4000_0000), PageSize.Size2M, AccessRights.All)
            .LeaveStale("a dump, no processor");
        byte[] dump = new byte[0x1_0000];
        for (ulong frame = 0; frame < (ulong)dump.Length; frame += 4096)
        {
            memory.InFrame(frame, 4096).CopyTo(dump.AsSpan((int)frame));
        }

        return (dump, root);
    }
}
