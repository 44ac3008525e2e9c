using System.Buffers.Binary;
using MemVirt.Native.Kvm;

namespace MemVirt.Native.Guests;

/// <summary>Writes what every guest needs: descriptor tables, exception handlers that report through a port, and stubs.</summary>
internal static class GuestImage
{
    private const ulong PresentWritable = 3;
    private const ulong PresentWritableUser = 7;
    private const ulong AccessedDirty = 0x60;

    // mov rax,cr2; out 0xF1,al; hlt
    private static ReadOnlySpan<byte> Report => [0x0F, 0x20, 0xD0, 0xE6, (byte)GuestLayout.ReportPort, 0xF4];

    // Read: mov al,[rdi]. Write: mov [rdi],al. Fetch: jmp rdi. Each then ud2, which says that it has succeeded.
    private static ReadOnlySpan<byte> ReadStub => [0x8A, 0x07, 0x0F, 0x0B];

    private static ReadOnlySpan<byte> WriteStub => [0x88, 0x07, 0x0F, 0x0B];

    private static ReadOnlySpan<byte> FetchStub => [0xFF, 0xE7, 0x0F, 0x0B];

    // jmp to itself
    private static ReadOnlySpan<byte> SpinStub => [0xEB, 0xFE];

    // Loops: mov al,[rdi], mov [rdi],al or mov [rdi],rax; add rdi,rdx; dec rcx; jnz back; then mov [rsi],al, which exits.
    private static ReadOnlySpan<byte> ReadLoop => [0x8A, 0x07, 0x48, 0x01, 0xD7, 0x48, 0xFF, 0xC9, 0x75, 0xF6, 0x88, 0x06];

    private static ReadOnlySpan<byte> WriteLoop => [0x88, 0x07, 0x48, 0x01, 0xD7, 0x48, 0xFF, 0xC9, 0x75, 0xF6, 0x88, 0x06];

    private static ReadOnlySpan<byte> StoreLoop => [0x48, 0x89, 0x07, 0x48, 0x01, 0xD7, 0x48, 0xFF, 0xC9, 0x75, 0xF5, 0x88, 0x06];

    // mov rax,cr3; mov cr3,rax; mov [rsi],al
    private static ReadOnlySpan<byte> ReloadRoot => [0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8, 0x88, 0x06];

    // mov cr3,rax; mov [rsi],al
    private static ReadOnlySpan<byte> LoadRoot => [0x0F, 0x22, 0xD8, 0x88, 0x06];

    // invlpg [rdi]; mov [rsi],al
    private static ReadOnlySpan<byte> InvalidatePage => [0x0F, 0x01, 0x3F, 0x88, 0x06];

    internal static void Write(VirtualMachine machine)
    {
        WriteDescriptors(machine);
        WriteHandlers(machine);
        foreach (ulong stubs in (ReadOnlySpan<ulong>)[GuestLayout.SupervisorStubs, GuestLayout.UserStubs])
        {
            ReadStub.CopyTo(machine.Bytes(stubs, GuestLayout.StubBytes));
            WriteStub.CopyTo(machine.Bytes(stubs + GuestLayout.StubBytes, GuestLayout.StubBytes));
            FetchStub.CopyTo(machine.Bytes(stubs + (2 * GuestLayout.StubBytes), GuestLayout.StubBytes));
        }

        ReadLoop.CopyTo(machine.Bytes(GuestLayout.ReadLoopStub, GuestLayout.StubBytes));
        WriteLoop.CopyTo(machine.Bytes(GuestLayout.WriteLoopStub, GuestLayout.StubBytes));
        StoreLoop.CopyTo(machine.Bytes(GuestLayout.StoreLoopStub, GuestLayout.StubBytes));
        ReloadRoot.CopyTo(machine.Bytes(GuestLayout.ReloadRootStub, GuestLayout.StubBytes));
        LoadRoot.CopyTo(machine.Bytes(GuestLayout.LoadRootStub, GuestLayout.StubBytes));
        InvalidatePage.CopyTo(machine.Bytes(GuestLayout.InvalidatePageStub, GuestLayout.StubBytes));
        SpinStub.CopyTo(machine.Bytes(GuestLayout.SpinStub, GuestLayout.StubBytes));
        machine.Word(GuestLayout.SpinRoot) = FixedRootEntry;
        WriteFixedTables(machine);
        Span<byte> target = machine.Bytes(GuestLayout.Target, 4096);
        for (int index = 0; index < target.Length; index += 2)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(target[index..], 0x0B0F);
        }
    }

    /// <summary>The entry that every root has at index 0.</summary>
    internal const ulong FixedRootEntry = GuestLayout.FixedPointerTable | PresentWritableUser | AccessedDirty;

    private static void WriteDescriptors(VirtualMachine machine)
    {
        ReadOnlySpan<ulong> descriptors =
        [
            0,
            0x00AF_9B00_0000_FFFF, // 64-bit code, CPL 0
            0x00CF_9300_0000_FFFF, // data
            0x00CF_F300_0000_FFFF, // data, CPL 3
            0x00AF_FB00_0000_FFFF, // 64-bit code, CPL 3
            0x0000_8B00_0000_0067 | (GuestLayout.TaskState << 16), // busy 64-bit TSS
            0,
        ];
        for (int index = 0; index < descriptors.Length; index++)
        {
            machine.Word(GuestLayout.Gdt + ((ulong)index * 8)) = descriptors[index];
        }

        // RSP0 stands at byte 4 of the TSS (Intel SDM Vol. 3A §7.7).
        BinaryPrimitives.WriteUInt64LittleEndian(machine.Bytes(GuestLayout.TaskState + 4, 8), GuestLayout.StackTop);
        for (uint vector = 0; vector < GuestLayout.Vectors; vector++)
        {
            // A 64-bit interrupt gate (Intel SDM Vol. 3A §6.14.1); handlers are below 64 KiB.
            ulong handler = GuestLayout.Handlers + (vector * GuestLayout.StubBytes);
            machine.Word(GuestLayout.Idt + (vector * 16)) = handler | ((ulong)GuestLayout.SupervisorCode << 16) | (0x8EUL << 40);
        }
    }

    /// <summary>A handler pushes 0 where the processor has pushed no error code, then the vector, and jumps to the report.</summary>
    private static void WriteHandlers(VirtualMachine machine)
    {
        const int ReportOffset = GuestLayout.Vectors * GuestLayout.StubBytes;
        for (int vector = 0; vector < GuestLayout.Vectors; vector++)
        {
            int start = vector * GuestLayout.StubBytes;
            Span<byte> code = machine.Bytes(GuestLayout.Handlers + (ulong)start, GuestLayout.StubBytes);
            int length = 0;
            if (!PushesErrorCode(vector))
            {
                (code[0], code[1]) = (0x6A, 0);
                length = 2;
            }

            (code[length], code[length + 1], code[length + 2]) = (0x6A, (byte)vector, 0xE9);
            BinaryPrimitives.WriteInt32LittleEndian(code[(length + 3)..], ReportOffset - (start + length + 7));
        }

        Report.CopyTo(machine.Bytes(GuestLayout.Handlers + ReportOffset, GuestLayout.StubBytes));
    }

    private static bool PushesErrorCode(int vector) => vector is 8 or (>= 10 and <= 14) or 17 or 21;

    private static void WriteFixedTables(VirtualMachine machine)
    {
        machine.Word(GuestLayout.FixedPointerTable) = GuestLayout.FixedDirectory | PresentWritableUser | AccessedDirty;
        machine.Word(GuestLayout.FixedDirectory) = GuestLayout.FixedTable | PresentWritableUser | AccessedDirty;
        for (ulong page = GuestLayout.Gdt; page < GuestLayout.StackTop; page += 4096)
        {
            ulong rights = page == GuestLayout.UserStubs ? PresentWritableUser : PresentWritable;
            machine.Word(GuestLayout.FixedTable + (page >> 12 << 3)) = page | rights | AccessedDirty;
        }

        const ulong BeyondMemory = 0xE000_0000;
        machine.Word(GuestLayout.FixedTable + (GuestLayout.MissingMemory >> 12 << 3)) = BeyondMemory | PresentWritableUser | AccessedDirty;
    }
}
