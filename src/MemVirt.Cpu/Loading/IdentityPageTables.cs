using System.Buffers.Binary;

namespace MemVirt.Cpu.Loading;

/// <summary>Four-level tables that map the first 4 GiB to themselves with 2 MiB pages (Intel SDM Vol. 3A §4.5.4).</summary>
internal static class IdentityPageTables
{
    /// <summary>What they take: a PML4, a page-directory-pointer table and four page directories.</summary>
    internal const ulong LengthBytes = (2 + Gibibytes) * TableBytes;

    private const int Gibibytes = 4;
    private const int TableBytes = 4096;
    private const int EntriesPerTable = 512;
    private const ulong PresentWritable = 0x3;
    private const ulong PresentWritablePage = 0x83;

    /// <summary>Writes them.</summary>
    /// <param name="memory">The guest's RAM.</param>
    /// <param name="gpa">Where, a multiple of 4 KiB: what CR3 is to be.</param>
    internal static void Write(IGuestMemory memory, ulong gpa)
    {
        var tables = new byte[LengthBytes];
        Put(tables, 0, (gpa + TableBytes) | PresentWritable);
        for (int directory = 0; directory < Gibibytes; directory++)
        {
            ulong directoryGpa = gpa + (ulong)((2 + directory) * TableBytes);
            Put(tables, EntriesPerTable + directory, directoryGpa | PresentWritable);
        }

        for (int page = 0; page < Gibibytes * EntriesPerTable; page++)
        {
            Put(tables, (2 * EntriesPerTable) + page, ((ulong)page << 21) | PresentWritablePage);
        }

        memory.Write(gpa, tables);
    }

    private static void Put(byte[] tables, int index, ulong entry)
        => BinaryPrimitives.WriteUInt64LittleEndian(tables.AsSpan(index * sizeof(ulong)), entry);
}
