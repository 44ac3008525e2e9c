namespace MemVirt.Cpu.Loading;

/// <summary>
/// Boots a Multiboot 1 kernel (Multiboot Specification 0.6.96): a 32-bit ELF executable, or any file whose header says where it goes. Its
/// modules follow it in memory; what it is told, a GDT and a stack lie below 128 KiB.
/// </summary>
public static class MultibootLoader
{
    private const ulong LoaderMagic = 0x2BAD_B002;
    private const ushort CodeSelector = 0x08;
    private const ushort DataSelector = 0x10;
    private const ulong ProtectedMode = 0x11;
    private const ulong GlobalTable = 0x8000;
    private const ulong StackEnd = 0x8000;

    /// <summary>Loads a Multiboot kernel into a guest's RAM, which it writes only when everything fits.</summary>
    /// <param name="request">The files and the command line.</param>
    /// <param name="memory">The guest's RAM, zero as yet.</param>
    /// <returns>What the processor starts with.</returns>
    /// <exception cref="LoadException">A file is missing, damaged or of another kind, or the memory too little.</exception>
    public static BootState Load(MultibootRequest request, IGuestMemory memory)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(memory);
        BootFile file = BootFile.Read(request.ImagePath, "the image", BootFile.LongestKernel, "give a Multiboot 1 kernel");
        return Load(file, request, memory);
    }

    internal static BootState Load(BootFile file, MultibootRequest request, IGuestMemory memory)
    {
        GuestMemoryMap map = GuestMemoryMap.Of(memory.LengthBytes);
        MultibootImage image = MultibootImage.Read(file, map);
        List<MultibootModule> modules = MultibootModule.ReadAll(request.Modules ?? [], image.End, map);
        byte[] information = MultibootInformation.Build(request, modules, map);

        foreach (ImageSegment segment in image.Segments)
        {
            memory.Write(segment.Gpa, file.Slice(segment.FileOffset, segment.FileBytes, "a segment"));
        }

        foreach (MultibootModule module in modules)
        {
            memory.Write(module.Gpa, module.File.Bytes);
        }

        memory.Write(MultibootInformation.Start, information);
        SegmentState code = BootDescriptors.Flat(CodeSelector, BootDescriptors.Code32Attributes);
        SegmentState data = BootDescriptors.Flat(DataSelector, BootDescriptors.DataAttributes);
        return new BootState
        {
            Mode = BootMode.Protected32,
            Rip = image.Entry,
            GeneralRegisters = BootState.Registers(rax: LoaderMagic, rbx: MultibootInformation.Start, rsp: StackEnd),
            Cr0 = ProtectedMode,
            Cr3 = 0,
            Cr4 = 0,
            Efer = 0,
            Code = code,
            Data = data,
            GlobalTable = BootDescriptors.WriteTable(memory, GlobalTable, code, data),
        };
    }
}
