namespace MemVirt.Cpu.Loading;

/// <summary>
/// Boots a Linux bzImage by the 64-bit boot protocol (Linux Documentation/arch/x86/boot.rst): the kernel at the address it prefers, the
/// initial RAM disk as high as the kernel takes it, and below 640 KiB a GDT, the boot parameters, identity page tables and the command line.
/// </summary>
public static class LinuxLoader
{
    private const ushort BootCodeSelector = 0x10;
    private const ushort BootDataSelector = 0x18;
    private const ulong EntryOffset = 0x200;
    private const ulong ProtectedPaged = 0x8000_0011;
    private const ulong PhysicalAddressExtension = 0x20;
    private const ulong LongModeActive = 0x500;

    /// <summary>Loads a Linux into a guest's RAM, which it writes only when everything fits.</summary>
    /// <param name="request">The files and the command line.</param>
    /// <param name="memory">The guest's RAM, zero as yet.</param>
    /// <returns>What the processor starts with.</returns>
    /// <exception cref="LoadException">A file is missing, damaged or of another kind, or the memory too little.</exception>
    public static BootState Load(LinuxBootRequest request, IGuestMemory memory)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(memory);
        BootFile file = BootFile.Read(request.KernelPath, "the kernel", BootFile.LongestKernel, "give a bzImage, such as /boot/vmlinuz-*");
        return Load(file, request, memory);
    }

    internal static BootState Load(BootFile file, LinuxBootRequest request, IGuestMemory memory)
    {
        LinuxHeader header = LinuxHeader.Read(file);
        GuestMemoryMap map = GuestMemoryMap.Of(memory.LengthBytes);
        LinuxPlacement placement = LinuxPlacement.Of(header, request, map);

        memory.Write(placement.Kernel, header.Kernel);
        memory.Write(LinuxPlacement.CommandLine, placement.CommandLineBytes);
        memory.Write(LinuxPlacement.Parameters, LinuxParameters.Build(header, placement, map));
        if (placement.InitrdFile is { } initrd)
        {
            memory.Write(placement.Initrd, initrd.Bytes);
        }

        IdentityPageTables.Write(memory, LinuxPlacement.PageTables);
        SegmentState code = BootDescriptors.Flat(BootCodeSelector, BootDescriptors.Code64Attributes);
        SegmentState data = BootDescriptors.Flat(BootDataSelector, BootDescriptors.DataAttributes);
        return new BootState
        {
            Mode = BootMode.Long64,
            Rip = placement.Kernel + EntryOffset,
            GeneralRegisters = BootState.Registers(rsp: LinuxPlacement.StackEnd, rsi: LinuxPlacement.Parameters),
            Cr0 = ProtectedPaged,
            Cr3 = LinuxPlacement.PageTables,
            Cr4 = PhysicalAddressExtension,
            Efer = LongModeActive,
            Code = code,
            Data = data,
            GlobalTable = BootDescriptors.WriteTable(memory, LinuxPlacement.GlobalTable, code, data),
        };
    }
}
