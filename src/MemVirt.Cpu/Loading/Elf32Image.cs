namespace MemVirt.Cpu.Loading;

/// <summary>The loadable segments of a 32-bit x86 ELF executable (System V gABI ch. 4 and 5).</summary>
internal static class Elf32Image
{
    private const byte Class32 = 1;
    private const byte LittleEndian = 1;
    private const ushort Executable = 2;
    private const ushort Intel386 = 3;
    private const uint Loadable = 1;
    private const uint ProgramHeaderBytes = 32;
    private const string GetAgain = "the file is damaged, build or get it again";

    /// <exception cref="LoadException">It is none, or its program headers lie.</exception>
    internal static (List<ImageSegment> Segments, ulong Entry) Read(BootFile file)
    {
        CheckIdentity(file);
        ulong table = file.U32(28, "e_phoff");
        uint size = file.U16(42, "e_phentsize");
        uint count = file.U16(44, "e_phnum");
        if (size < ProgramHeaderBytes)
        {
            throw file.Wrong(42, $"e_phentsize is {size}, less than a program header's {ProgramHeaderBytes} bytes", GetAgain);
        }

        var segments = new List<ImageSegment>();
        ulong virtualEntry = file.U32(24, "e_entry");
        ulong? entry = null;
        for (uint i = 0; i < count; i++)
        {
            ulong header = table + (i * size);
            _ = file.Slice(header, ProgramHeaderBytes, $"program header {i}");
            ulong memoryBytes = file.U32(header + 20, "p_memsz");
            if (file.U32(header, "p_type") == Loadable && memoryBytes > 0)
            {
                ImageSegment segment = ReadSegment(file, header, memoryBytes);
                segments.Add(segment);
                ulong virtualStart = file.U32(header + 8, "p_vaddr");
                if (virtualEntry >= virtualStart && virtualEntry - virtualStart < memoryBytes)
                {
                    entry ??= segment.Gpa + (virtualEntry - virtualStart);
                }
            }
        }

        if (segments.Count == 0)
        {
            throw file.Wrong(44, $"none of its {count} program headers is to be loaded (PT_LOAD)", GetAgain);
        }

        entry ??= segments.Exists(segment => segment.Contains(virtualEntry)) ? virtualEntry : null;
        return (segments, entry ?? throw file.Wrong(24, $"e_entry 0x{virtualEntry:x} is in no segment", GetAgain));
    }

    private static void CheckIdentity(BootFile file)
    {
        if (!file.Bytes.StartsWith("\u007fELF"u8))
        {
            throw file.Wrong(
                0, "neither an ELF file nor a Multiboot header with addresses (flag 16)", "give the kernel as a 32-bit ELF executable");
        }

        byte fileClass = file.U8(4, "EI_CLASS");
        if (fileClass != Class32)
        {
            throw file.Wrong(
                4,
                $"EI_CLASS is {fileClass}{(fileClass == 2 ? ", a 64-bit ELF file" : "")}, and Multiboot 1 starts 32-bit ones",
                "convert it with objcopy -O elf32-i386");
        }

        byte order = file.U8(5, "EI_DATA");
        ushort type = file.U16(16, "e_type");
        ushort machine = file.U16(18, "e_machine");
        if (order != LittleEndian || machine != Intel386)
        {
            throw file.Wrong(18, $"e_machine is {machine} (EI_DATA {order}) and not x86 (3)", "give a kernel for 32-bit x86");
        }

        if (type != Executable)
        {
            throw file.Wrong(16, $"e_type is {type} and not an executable's 2", "link the kernel, without -pie or -r");
        }
    }

    private static ImageSegment ReadSegment(BootFile file, ulong header, ulong memoryBytes)
    {
        ulong offset = file.U32(header + 4, "p_offset");
        ulong fileBytes = file.U32(header + 16, "p_filesz");
        if (fileBytes > memoryBytes)
        {
            throw file.Wrong(header + 16, $"p_filesz 0x{fileBytes:x} is more than p_memsz 0x{memoryBytes:x}", GetAgain);
        }

        if (!file.Holds(offset, fileBytes))
        {
            throw file.Wrong(
                header + 4, $"the segment's 0x{fileBytes:x} bytes at 0x{offset:x} end after the file's 0x{file.LengthBytes:x}", GetAgain);
        }

        return new ImageSegment(file.U32(header + 12, "p_paddr"), memoryBytes, offset, fileBytes, header);
    }
}
