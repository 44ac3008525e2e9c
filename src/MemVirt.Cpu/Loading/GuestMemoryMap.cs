namespace MemVirt.Cpu.Loading;

/// <summary>
/// Where a PC's RAM lies: from address 0 up to 3 GiB, and what is more from 4 GiB on, so that devices have the gigabyte between. The
/// guest is told of it as a PC's firmware would.
/// </summary>
public sealed class GuestMemoryMap
{
    /// <summary>The least RAM a guest has, in bytes.</summary>
    public const ulong MinimumBytes = 2 * MiB;

    /// <summary>The most RAM a guest has, in bytes.</summary>
    public const ulong MaximumBytes = 1UL << 40;

    /// <summary>Where the devices' addresses below 4 GiB begin; low RAM ends there at the latest.</summary>
    public const ulong HoleStart = 0xC000_0000;

    /// <summary>Where the hole ends and the rest of the RAM begins.</summary>
    public const ulong HighStart = 4UL << 30;

    internal const ulong ConventionalEnd = 0x9_FC00;
    internal const ulong MiB = 1 << 20;

    private const ulong VideoStart = 0xA_0000;
    private const ulong FirmwareStart = 0xF_0000;

    private readonly List<MemoryRegion> _regions;

    private GuestMemoryMap(ulong lengthBytes)
    {
        LowEnd = Math.Min(lengthBytes, HoleStart);
        HighEnd = HighStart + (lengthBytes - LowEnd);
        _regions =
        [
            new(0, ConventionalEnd, MemoryRegionKind.Usable),
            new(ConventionalEnd, VideoStart, MemoryRegionKind.Reserved),
            new(FirmwareStart, MiB, MemoryRegionKind.Reserved),
            new(MiB, LowEnd, MemoryRegionKind.Usable),
        ];
        if (HighEnd > HighStart)
        {
            _regions.Add(new(HighStart, HighEnd, MemoryRegionKind.Usable));
        }
    }

    /// <summary>The end of the RAM below 4 GiB.</summary>
    public ulong LowEnd { get; }

    /// <summary>The end of the RAM above 4 GiB; <see cref="HighStart"/> where there is none.</summary>
    public ulong HighEnd { get; }

    /// <summary>What the guest is told, in ascending order.</summary>
    public IReadOnlyList<MemoryRegion> Regions => _regions;

    /// <summary>The map of a guest with so much RAM.</summary>
    /// <param name="lengthBytes">From <see cref="MinimumBytes"/> to <see cref="MaximumBytes"/>, a multiple of 4 KiB.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not.</exception>
    public static GuestMemoryMap Of(ulong lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lengthBytes, MinimumBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lengthBytes, MaximumBytes);
        ArgumentOutOfRangeException.ThrowIfNotEqual(lengthBytes & 0xFFF, 0UL);
        return new GuestMemoryMap(lengthBytes);
    }

    /// <summary>Whether every byte of a range has RAM behind it, what is reserved below 1 MiB included.</summary>
    public bool IsBacked(ulong gpa, ulong lengthBytes)
        => Fits(gpa, lengthBytes, 0, LowEnd) || Fits(gpa, lengthBytes, HighStart, HighEnd);

    /// <summary>Whether every byte of a range is in one region that the guest may use.</summary>
    public bool IsUsable(ulong gpa, ulong lengthBytes)
        => _regions.Exists(region => region.Kind == MemoryRegionKind.Usable && Fits(gpa, lengthBytes, region.Start, region.End));

    /// <summary>
    /// Whether a loader may put a range there: where the guest may use it, or where a PC's firmware would lie and here is RAM, up to 1 MiB and on; a
    /// kernel linked for 1 MiB has its headers below it, as linkers put them into the first segment.
    /// </summary>
    public bool IsLoadable(ulong gpa, ulong lengthBytes) => IsUsable(gpa, lengthBytes) || Fits(gpa, lengthBytes, FirmwareStart, LowEnd);

    private static bool Fits(ulong start, ulong lengthBytes, ulong from, ulong to)
        => start >= from && start <= to && lengthBytes <= to - start;
}
