namespace MemVirt.Cpu.Loading;

/// <summary>Where a Multiboot kernel's bytes go and where it begins, checked against its file and the guest's memory.</summary>
internal sealed class MultibootImage
{
    private MultibootImage(IReadOnlyList<ImageSegment> segments, ulong entry) => (Segments, Entry) = (segments, entry);

    internal IReadOnlyList<ImageSegment> Segments { get; }

    internal ulong Entry { get; }

    internal ulong End => Segments.Max(segment => segment.End);

    /// <exception cref="LoadException">The file is no image that can be booted, or its headers lie.</exception>
    internal static MultibootImage Read(BootFile file, GuestMemoryMap map)
    {
        MultibootHeader header = MultibootHeader.Find(file);
        (List<ImageSegment> segments, ulong entry) = header.HasAddresses ? FlatImage.Read(file, header.Offset) : Elf32Image.Read(file);
        segments.Sort((first, second) => first.Gpa.CompareTo(second.Gpa));
        for (int i = 0; i < segments.Count; i++)
        {
            CheckPlace(file, segments[i], map);
            if (i > 0 && segments[i].Gpa < segments[i - 1].End)
            {
                throw file.Wrong(
                    segments[i].Described,
                    $"the segment at 0x{segments[i].Gpa:x} overlaps the one at 0x{segments[i - 1].Gpa:x}",
                    "link the kernel with segments apart");
            }
        }

        return new MultibootImage(segments, entry);
    }

    private static void CheckPlace(BootFile file, ImageSegment segment, GuestMemoryMap map)
    {
        string where = $"the segment of 0x{segment.LengthBytes:x} bytes at 0x{segment.Gpa:x}";
        if (segment.Overlaps(0, MultibootInformation.AreaEnd))
        {
            throw file.Wrong(
                segment.Described,
                $"{where} overlaps the boot information below 0x{MultibootInformation.AreaEnd:x}",
                "link the kernel higher, at 0x100000 as is usual");
        }

        if (!map.IsLoadable(segment.Gpa, segment.LengthBytes))
        {
            ulong needed = (segment.End + GuestMemoryMap.MiB - 1) / GuestMemoryMap.MiB;
            throw file.Wrong(
                segment.Described,
                $"{where} is not all in RAM, which goes to 0x{GuestMemoryMap.ConventionalEnd:x} and from 0xf0000 to 0x{map.LowEnd:x}",
                segment.Gpa >= GuestMemoryMap.MiB && segment.End <= GuestMemoryMap.HoleStart
                    ? $"give the guest at least {needed} MiB"
                    : "link the kernel elsewhere, at 0x100000 as is usual");
        }
    }
}
