using MemVirt.Core.Memory;
using MemVirt.Cpu.Loading;

namespace MemVirt.Cpu.Tests.Loading;

public sealed class LinuxLoaderTests
{
    private const ulong MiB = 1 << 20;
    private const ulong GiB = 1 << 30;

    [Fact]
    public void The_kernel_lies_at_its_preferred_address_without_setup_and_signature()
    {
        var kernel = new TestKernel();
        var memory = new RecordingMemory(64 * MiB);
        BootState state = Load([.. kernel.Bytes, 1, 2, 3], memory);
        Assert.Equal(kernel.Bytes[TestKernel.SetupBytes..], memory.Read(TestKernel.PreferredAddress, TestKernel.KernelBytes));
        Assert.Equal(0u, memory.U32(TestKernel.PreferredAddress + TestKernel.KernelBytes));
        Assert.Equal(TestKernel.PreferredAddress + 0x200, state.Rip);
    }

    [Fact]
    public void The_processor_starts_as_the_64_bit_protocol_says()
    {
        var memory = new RecordingMemory(64 * MiB);
        BootState state = Load(new TestKernel().Bytes, memory);
        Assert.Equal((BootMode.Long64, 2ul), (state.Mode, state.Rflags));
        Assert.Equal((0x8000_0011ul, 0x20ul, 0x500ul), (state.Cr0, state.Cr4, state.Efer));
        Assert.Equal(new SegmentState(0x10, 0, uint.MaxValue, 0xA09B), state.Code);
        Assert.Equal(new SegmentState(0x18, 0, uint.MaxValue, 0xC093), state.Data);
        Assert.Equal((0x00AF_9B00_0000_FFFFul, 0x00CF_9300_0000_FFFFul), (memory.U64(state.GlobalTable.Base + 0x10), memory.U64(state.GlobalTable.Base + 0x18)));
        Assert.Equal(0x1F, state.GlobalTable.Limit);
        Assert.All(state.GeneralRegisters.Where((_, number) => number is not 4 and not 6), register => Assert.Equal(0ul, register));
        Assert.Equal((byte)'H', memory.U8(state.GeneralRegisters[6] + 0x202));
    }

    [Theory]
    [InlineData(0x0)]
    [InlineData(0x1234_5678)]
    [InlineData(0xC000_0000)]
    [InlineData(0xFFFF_FFFF)]
    public void Page_tables_map_the_first_four_gibibytes_to_themselves(ulong address)
    {
        var memory = new RecordingMemory(64 * MiB);
        ulong table = Load(new TestKernel().Bytes, memory).Cr3;
        ulong pml4e = memory.U64(table);
        ulong pdpte = memory.U64((pml4e & ~0xFFFul) + (8 * (address >> 30)));
        ulong pde = memory.U64((pdpte & ~0xFFFul) + (8 * ((address >> 21) & 511)));
        Assert.Equal((3ul, 3ul), (pml4e & 0xFFF, pdpte & 0xFFF));
        Assert.Equal((address & ~0x1F_FFFFul) | 0x83, pde);
    }

    [Fact]
    public void Boot_parameters_hold_the_header_and_what_the_loader_adds()
    {
        using var files = new TestFiles();
        byte[] initrd = [.. Enumerable.Range(0, 5000).Select(i => (byte)(i ^ 0x5A))];
        var memory = new RecordingMemory(64 * MiB);
        var kernel = new TestKernel();
        BootState state = Load(kernel.Bytes, memory, files.Add("initrd", initrd), "console=ttyS0 quiet");
        ulong page = state.GeneralRegisters[6];
        Assert.Equal(kernel.Bytes[0x1F1..0x210], memory.Read(page + 0x1F1, 0x1F));
        Assert.Equal(kernel.Bytes[0x22C..0x26C], memory.Read(page + 0x22C, 0x40));
        Assert.Equal((0xFF, 0x01), (memory.U8(page + 0x210), memory.U8(page + 0x211)));
        Assert.Equal("console=ttyS0 quiet", memory.Text(memory.U32(page + 0x228)));
        Assert.Equal((64 * MiB) - 8192, memory.U32(page + 0x218));
        Assert.Equal(5000u, memory.U32(page + 0x21C));
        Assert.Equal(initrd, memory.Read((64 * MiB) - 8192, 5000));
        Assert.All(memory.Read(page, 0x1E8), value => Assert.Equal(0, value));
        Assert.Equal(0, memory.U8(page + 0x1EF));
    }

    [Fact]
    public void The_memory_map_leaves_room_for_devices()
    {
        (ulong, ulong, uint)[] low =
        [
            (0, 0x9_FC00, 1), (0x9_FC00, 0x400, 2), (0xF_0000, 0x1_0000, 2),
        ];
        Assert.Equal([.. low, (MiB, 63 * MiB, 1)], MapOf(64 * MiB));
        Assert.Equal([.. low, (MiB, (3 * GiB) - MiB, 1)], MapOf(3 * GiB));
        Assert.Equal([.. low, (MiB, (3 * GiB) - MiB, 1), (4 * GiB, 2 * GiB, 1)], MapOf(5 * GiB));
    }

    [Theory]
    [InlineData(0x7FFF_FFFFu, 4UL << 30, 0x7FFF_F000UL)]
    [InlineData(0xFFFF_FFFFu, 4UL << 30, 0xBFFF_F000UL)]
    [InlineData(0x37FF_FFFFu, 4UL << 30, 0x37FF_F000UL)]
    [InlineData(0x7FFF_FFFFu, 0x110_2000UL, 0x110_1000UL)]
    public void The_initial_ram_disk_is_as_high_as_the_kernel_takes_it(uint last, ulong memoryBytes, ulong expected)
    {
        using var files = new TestFiles();
        var memory = new RecordingMemory(memoryBytes);
        BootState state = Load(new TestKernel().Put32(0x22C, last).Bytes, memory, files.Add("initrd", [1, 2, 3]));
        Assert.Equal(expected, memory.U32(state.GeneralRegisters[6] + 0x218));
        Assert.Equal([1, 2, 3], memory.Read(expected, 3));
    }

    [Fact]
    public void A_kernel_that_prefers_no_usable_address_is_moved_up_where_it_can_be()
    {
        TestKernel kernel = new TestKernel().Put32(0x258, 0x8_0000);
        Assert.Equal(0x20_0200ul, Load(kernel.Bytes, new RecordingMemory(64 * MiB)).Rip);
        kernel.Bytes[0x234] = 0;
        Assert.Contains("pref_address 0x80000", Message(kernel.Bytes), StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_loader_writes_does_not_overlap()
    {
        using var files = new TestFiles();
        var memory = new RecordingMemory(0x110_1000);
        BootState state = Load(new TestKernel().Bytes, memory, files.Add("initrd", [1]), new string('x', 2047));
        (ulong Gpa, byte[] Bytes)[] writes = [.. memory.Writes.OrderBy(write => write.Gpa)];
        for (int i = 1; i < writes.Length; i++)
        {
            Assert.True(writes[i - 1].Gpa + (ulong)writes[i - 1].Bytes.Length <= writes[i].Gpa);
        }

        Assert.DoesNotContain(writes, write => write.Gpa < state.GeneralRegisters[4] && state.GeneralRegisters[4] - 4096 < write.Gpa + (ulong)write.Bytes.Length);
    }

    [Fact]
    public void Memory_that_a_message_asks_for_is_enough()
    {
        using var files = new TestFiles();
        string initrd = files.Add("initrd", new byte[(5 * 1024 * 1024) + 1]);
        string message = Message(new TestKernel().Bytes, initrd, memoryBytes: 18 * MiB);
        Assert.Contains("give the guest at least 23 MiB", message, StringComparison.Ordinal);
        Load(new TestKernel().Bytes, new RecordingMemory(23 * MiB), initrd);
        Message(new TestKernel().Bytes, initrd, memoryBytes: 22 * MiB);

        Assert.Contains("give the guest at least 17 MiB", Message(new TestKernel().Bytes, memoryBytes: 16 * MiB), StringComparison.Ordinal);
        Load(new TestKernel().Bytes, new RecordingMemory(17 * MiB));
    }

    [Theory]
    [InlineData(0x202, 4, 0, "offset 0x202: not a Linux bzImage: 0x00000000 where \"HdrS\"")]
    [InlineData(0x1FE, 2, 0x55AB, "boot_flag is 0x55ab")]
    [InlineData(0x206, 2, 0x020B, "boot protocol 2.11 has no 64-bit entry")]
    [InlineData(0x211, 1, 0, "LOADED_HIGH")]
    [InlineData(0x236, 2, 0x7E, "a 32-bit kernel")]
    [InlineData(0x201, 1, 0x10, "the setup header ends at 0x212")]
    [InlineData(0x201, 1, 0xFF, "the setup header ends at 0x301")]
    [InlineData(0x1F1, 1, 2, "the kernel is cut off")]
    [InlineData(0x1F1, 1, 0, "the kernel is cut off")]
    [InlineData(0x1F4, 4, 0x1000, "the kernel is cut off: setup_sects and syssize say 0x10000 bytes from here, the file ends at 0x1400")]
    [InlineData(0x1F4, 4, -1, "the kernel is cut off")]
    [InlineData(0x1F4, 4, 0, "syssize says 0 bytes")]
    [InlineData(0x24C, 4, 0xD01, "the payload")]
    [InlineData(0x24C, 4, -1, "the payload")]
    [InlineData(0x260, 4, 0xFFF, "init_size 0xfff is less than the kernel's own 0x1000")]
    [InlineData(0x260, 4, -1, "0xffffffff bytes (init_size) from 0x1000000, and the guest's low memory ends at 0x4000000; that is more than the 3 GiB")]
    [InlineData(0x230, 4, 0, "kernel_alignment 0x0")]
    [InlineData(0x230, 4, 0x3000, "kernel_alignment 0x3000")]
    [InlineData(0x25C, 4, 1, "pref_address 0x101000000")]
    [InlineData(0x25C, 4, -1, "pref_address 0xffffffff01000000")]
    [InlineData(0x238, 4, 3, "the command line has 4 bytes and cmdline_size allows 3")]
    public void A_header_that_lies_is_told_in_one_line(int offset, int sizeBytes, long value, string said)
    {
        var kernel = new TestKernel();
        BitConverter.GetBytes(value).AsSpan(0, sizeBytes).CopyTo(kernel.Bytes.AsSpan(offset));
        string message = Message(kernel.Bytes, commandLine: "four");
        Assert.Contains(said, message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_kernel_cut_off_anywhere_is_refused()
    {
        byte[] whole = new TestKernel().Bytes;
        for (int length = 1; length < whole.Length; length += length < 0x280 ? 1 : 97)
        {
            Message(whole[..length]);
        }
    }

    [Fact]
    public void An_elf_file_is_told_from_a_kernel()
        => Assert.Contains("an ELF file", Message(new TestImage().Bytes), StringComparison.Ordinal);

    [Fact]
    public void Files_that_cannot_be_read_are_told_in_one_line()
    {
        using var files = new TestFiles();
        string kernel = files.Add("kernel", new TestKernel().Bytes);
        string empty = files.Add("empty", []);
        string missing = Path.Combine(files.Folder, "missing");
        Says(missing, null, "the kernel does not exist");
        Says(Path.Combine(kernel, "below"), null, "the kernel");
        Says(files.Folder, null, "the kernel is a directory");
        Says(empty, null, "the kernel is empty");
        Says("", null, "the kernel");
        Says(kernel, missing, "the initial RAM disk does not exist");
        Says(kernel, files.Folder, "the initial RAM disk is a directory");
        Says(kernel, empty, "the initial RAM disk is empty");
        if (OperatingSystem.IsLinux())
        {
            Says(kernel, "/dev/zero", "has more than the 67108864 bytes that fit");
        }

        static void Says(string kernelPath, string? initrdPath, string said)
        {
            var memory = new RecordingMemory(64 * MiB);
            string message = Assert.Throws<LoadException>(() => LinuxLoader.Load(new LinuxBootRequest(kernelPath, initrdPath), memory)).Message;
            Assert.Contains(said, message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', message);
            Assert.Empty(memory.Writes);
        }
    }

    [Fact]
    public void Sparse_memory_takes_a_kernel_wherever_its_frames_are()
    {
        using var host = new SparseMemory(1UL << 32);
        var memory = new SparseGuestMemory(host, 64 * MiB, frame => 0x8000_0000 - frame);
        var kernel = new TestKernel();
        Load(kernel.Bytes, memory);
        Assert.Equal(kernel.Bytes[TestKernel.SetupBytes..], host.InFrame(0x8000_0000 - TestKernel.PreferredAddress, 4096).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Write((64 * MiB) - 1, [1, 2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Write(ulong.MaxValue, [1, 2]));
    }

    private static (ulong, ulong, uint)[] MapOf(ulong memoryBytes)
    {
        var memory = new RecordingMemory(memoryBytes);
        ulong page = Load(new TestKernel().Bytes, memory).GeneralRegisters[6];
        return [.. Enumerable.Range(0, memory.U8(page + 0x1E8)).Select(i => page + 0x2D0 + ((ulong)i * 20))
            .Select(at => (memory.U64(at), memory.U64(at + 8), memory.U32(at + 16)))];
    }

    private static BootState Load(byte[] kernel, IGuestMemory memory, string? initrd = null, string commandLine = "")
        => LinuxLoader.Load(BootFile.Of("vmlinuz", kernel), new LinuxBootRequest("vmlinuz", initrd, commandLine), memory);

    private static string Message(byte[] kernel, string? initrd = null, string commandLine = "", ulong memoryBytes = 64 * MiB)
    {
        var memory = new RecordingMemory(memoryBytes);
        string message = Assert.Throws<LoadException>(() => Load(kernel, memory, initrd, commandLine)).Message;
        Assert.DoesNotContain('\n', message);
        Assert.Contains("; ", message, StringComparison.Ordinal);
        Assert.Empty(memory.Writes);
        return message;
    }
}
