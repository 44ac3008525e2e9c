using MemVirt.Cpu.Loading;

namespace MemVirt.Cpu.Tests.Loading;

public sealed class MultibootLoaderTests
{
    private const ulong MiB = 1 << 20;

    [Fact]
    public void The_processor_starts_in_flat_protected_mode()
    {
        var memory = new RecordingMemory(64 * MiB);
        BootState state = Load(new TestImage().Bytes, memory);
        Assert.Equal((BootMode.Protected32, 2ul, TestImage.LoadAddress + 0x200ul), (state.Mode, state.Rflags, state.Rip));
        Assert.Equal((0x11ul, 0ul, 0ul, 0ul), (state.Cr0, state.Cr3, state.Cr4, state.Efer));
        Assert.Equal(0x2BAD_B002ul, state.GeneralRegisters[0]);
        Assert.Equal(new SegmentState(8, 0, uint.MaxValue, 0xC09B), state.Code);
        Assert.Equal(new SegmentState(16, 0, uint.MaxValue, 0xC093), state.Data);
        Assert.Equal(0x00CF_9B00_0000_FFFFul, memory.U64(state.GlobalTable.Base + 8));
        Assert.Equal(0x00CF_9300_0000_FFFFul, memory.U64(state.GlobalTable.Base + 16));
    }

    [Fact]
    public void An_elf_image_lies_where_its_program_headers_say()
    {
        var image = new TestImage();
        image.Put16(44, 2).PutSegment(84, 0x400, 0x40_0000, 0x100, 0x200);
        var memory = new RecordingMemory(64 * MiB);
        Load(image.Bytes, memory);
        Assert.Equal(image.Bytes, memory.Read(TestImage.LoadAddress, image.Bytes.Length));
        Assert.Equal(image.Bytes[0x400..0x500], memory.Read(0x40_0000, 0x100));
    }

    [Fact]
    public void An_entry_in_a_segments_virtual_range_is_taken_to_its_physical_one()
    {
        TestImage image = new TestImage().Put32(52 + 8, 0xC010_0000).Put32(24, 0xC010_0200);
        Assert.Equal(TestImage.LoadAddress + 0x200ul, Load(image.Bytes, new RecordingMemory(64 * MiB)).Rip);
    }

    [Fact]
    public void The_header_s_own_addresses_hold_where_it_has_them()
    {
        var image = new TestImage(flags: 0x1_0003);
        Array.Clear(image.Bytes, 0, 52);
        image.PutAddresses(header: 0x20_0040, load: 0x20_0000, loadEnd: 0x20_0100, bssEnd: 0x20_4000, entry: 0x20_0060);
        using var files = new TestFiles();
        var memory = new RecordingMemory(64 * MiB);
        BootState state = Load(image.Bytes, memory, files.Add("m", [9]));
        Assert.Equal(0x20_0060ul, state.Rip);
        Assert.Equal(image.Bytes[0x40..0x140], memory.Read(0x20_0000, 0x100));
        Assert.Equal(0u, memory.U32(0x20_0100));
        Assert.Equal(0x20_4000u, memory.U32(memory.U32(state.GeneralRegisters[3] + 24)));
    }

    [Fact]
    public void The_kernel_is_told_of_memory_command_line_and_modules()
    {
        using var files = new TestFiles();
        string first = files.Add("first", [.. Enumerable.Repeat((byte)1, 5000)]);
        string second = files.Add("second with space", [2]);
        var memory = new RecordingMemory(64 * MiB);
        ulong info = Load(new TestImage().Bytes, memory, [first + " -v arg", second], "a b").GeneralRegisters[3];
        Assert.Equal(0b10_0100_1101u, memory.U32(info));
        Assert.Equal((639u, 63u * 1024), (memory.U32(info + 4), memory.U32(info + 8)));
        Assert.Equal("kernel.elf a b", memory.Text(memory.U32(info + 16)));
        Assert.Equal("MemVirt", memory.Text(memory.U32(info + 64)));
        Assert.Equal(2u, memory.U32(info + 20));

        ulong modules = memory.U32(info + 24);
        Assert.Equal((0x10_3000u, 0x10_3000u + 5000), (memory.U32(modules), memory.U32(modules + 4)));
        Assert.Equal(first + " -v arg", memory.Text(memory.U32(modules + 8)));
        Assert.Equal((0x10_5000u, 0x10_5001u), (memory.U32(modules + 16), memory.U32(modules + 20)));
        Assert.Equal(second, memory.Text(memory.U32(modules + 24)));
        Assert.Equal((1, 2), (memory.U8(0x10_3000), memory.U8(0x10_5000)));

        (uint, ulong, ulong, uint)[] map = [.. Enumerable.Range(0, (int)memory.U32(info + 44) / 24).Select(i => memory.U32(info + 48) + ((ulong)i * 24))
            .Select(at => (memory.U32(at), memory.U64(at + 4), memory.U64(at + 12), memory.U32(at + 20)))];
        Assert.Equal([(20u, 0ul, 0x9_FC00ul, 1u), (20u, 0x9_FC00ul, 0x400ul, 2u), (20u, 0xF_0000ul, 0x1_0000ul, 2u), (20u, MiB, 63 * MiB, 1u)], map);
    }

    [Theory]
    [InlineData(TestImage.HeaderOffset, 4, 0, "no Multiboot header (0x1badb002) in the first 4096 bytes; give")]
    [InlineData(TestImage.HeaderOffset, 4, 0xE852_50D6, "it has a Multiboot 2 header")]
    [InlineData(TestImage.HeaderOffset + 8, 4, 1, "offset 0x88: the Multiboot header's checksum 0x00000001")]
    [InlineData(0, 4, 0, "neither an ELF file")]
    [InlineData(4, 1, 2, "a 64-bit ELF file, and Multiboot 1 starts 32-bit ones; convert it with objcopy -O elf32-i386")]
    [InlineData(5, 1, 2, "EI_DATA 2")]
    [InlineData(18, 2, 40, "e_machine is 40")]
    [InlineData(16, 2, 3, "e_type is 3")]
    [InlineData(24, 4, 0x20_0000, "e_entry 0x200000 is in no segment")]
    [InlineData(28, 4, -1, "program header 0 of 32 bytes ends after the file")]
    [InlineData(42, 2, 31, "e_phentsize is 31")]
    [InlineData(44, 2, 0, "none of its 0 program headers")]
    [InlineData(44, 2, -1, "ends after the file")]
    [InlineData(52, 4, 6, "none of its 1 program headers")]
    [InlineData(52 + 4, 4, 1, "the segment's 0x1000 bytes at 0x1 end after the file's 0x1000")]
    [InlineData(52 + 16, 4, 0x3001, "p_filesz 0x3001 is more than p_memsz 0x3000")]
    [InlineData(52 + 12, 4, 0, "overlaps the boot information below 0x20000")]
    [InlineData(52 + 12, 4, 0x1_FFFF, "overlaps the boot information below 0x20000")]
    [InlineData(52 + 12, 4, 0x9_D000, "is not all in RAM")]
    [InlineData(52 + 12, 4, 0x3FF_E000, "give the guest at least 65 MiB")]
    [InlineData(52 + 12, 4, -1, "link the kernel elsewhere")]
    [InlineData(52 + 20, 4, -1, "is not all in RAM")]
    public void A_header_that_lies_is_told_in_one_line(int offset, int sizeBytes, long value, string said)
    {
        var image = new TestImage();
        BitConverter.GetBytes(value).AsSpan(0, sizeBytes).CopyTo(image.Bytes.AsSpan(offset));
        Assert.Contains(said, Message(image.Bytes), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0x4u, "require a video mode")]
    [InlineData(0x8002u, "require something unknown (bits 0x8000)")]
    public void What_a_header_requires_and_is_not_offered_is_told(uint flags, string said)
        => Assert.Contains(said, Message(new TestImage(flags).Bytes), StringComparison.Ordinal);

    [Theory]
    [InlineData(0x20_0000, 0x20_0004, 0, 0, 0x20_0004, "before the file's")]
    [InlineData(0x20_0100, 0x20_0000, 0, 0, 0x20_0004, "before the file's")]
    [InlineData(0x20_0000, 0x20_0000, 0x20_0000, 0, 0x20_0004, "is not after load_addr")]
    [InlineData(0x20_0000, 0x20_0000, 0x20_2000, 0, 0x20_0004, "and the file ends at 0x1000")]
    [InlineData(0x20_0000, 0x20_0000, 0x20_0100, 0x20_0080, 0x20_0004, "bss_end_addr 0x200080 is before")]
    [InlineData(0x20_0000, 0x20_0000, 0x20_0100, 0, 0x20_0100, "entry_addr 0x200100 is outside the image")]
    [InlineData(0x20_0000, 0x20_0000, 0x20_0100, 0xFFFF_FFFF, 0x20_0004, "is not all in RAM")]
    [InlineData(0x9000, 0x9000, 0, 0, 0x9004, "overlaps the boot information")]
    public void Addresses_that_contradict_each_other_are_told(uint header, uint load, uint loadEnd, uint bssEnd, uint entry, string said)
        => Assert.Contains(
            said, Message(new TestImage(flags: 0x1_0003).PutAddresses(header, load, loadEnd, bssEnd, entry).Bytes), StringComparison.Ordinal);

    [Fact]
    public void A_header_after_the_first_eight_kibibytes_is_not_found()
    {
        byte[] moved = new byte[16384];
        new TestImage().Bytes.AsSpan(TestImage.HeaderOffset, 12).CopyTo(moved.AsSpan(8184));
        Assert.Contains("in the first 8192 bytes", Message(moved), StringComparison.Ordinal);
        Array.Clear(moved);
        new TestImage(flags: 0x1_0003).Bytes.AsSpan(TestImage.HeaderOffset, 12).CopyTo(moved.AsSpan(8180));
        Assert.Contains("reaches beyond the first 8192", Message(moved), StringComparison.Ordinal);
    }

    [Fact]
    public void Segments_may_not_overlap()
    {
        TestImage image = new TestImage().Put16(44, 2);
        image.PutSegment(84, 0x400, TestImage.LoadAddress + TestImage.MemoryBytes - 1, 0x10, 0x10);
        Assert.Contains("the segment at 0x102fff overlaps the one at 0x100000", Message(image.Bytes), StringComparison.Ordinal);
    }

    [Fact]
    public void Modules_that_are_missing_or_too_large_are_told()
    {
        using var files = new TestFiles();
        Assert.Contains("the module does not exist", Message(new TestImage().Bytes, [Path.Combine(files.Folder, "none") + " x"]), StringComparison.Ordinal);
        string large = files.Add("large", new byte[3 << 20]);
        Assert.Contains("give the guest at least 5 MiB", Message(new TestImage().Bytes, [large], memoryBytes: 4 * MiB), StringComparison.Ordinal);
        Load(new TestImage().Bytes, new RecordingMemory(5 * MiB), large);
        Assert.Contains("give the guest more memory", Message(new TestImage().Bytes, [large], memoryBytes: 2 * MiB), StringComparison.Ordinal);
    }

    [Fact]
    public void Texts_that_are_too_long_are_told()
        => Assert.Contains("shorten them", Message(new TestImage().Bytes, commandLine: new string('x', 100_000)), StringComparison.Ordinal);

    private static BootState Load(byte[] image, IGuestMemory memory, params string[] modules) => Load(image, memory, modules, "");

    private static BootState Load(byte[] image, IGuestMemory memory, string[] modules, string commandLine)
        => MultibootLoader.Load(BootFile.Of("kernel.elf", image), new MultibootRequest("kernel.elf", modules, commandLine), memory);

    private static string Message(byte[] image, string[]? modules = null, string commandLine = "", ulong memoryBytes = 64 * MiB)
    {
        var memory = new RecordingMemory(memoryBytes);
        string message = Assert.Throws<LoadException>(() => Load(image, memory, modules ?? [], commandLine)).Message;
        Assert.DoesNotContain('\n', message);
        Assert.Contains("; ", message, StringComparison.Ordinal);
        Assert.Empty(memory.Writes);
        return message;
    }
}
