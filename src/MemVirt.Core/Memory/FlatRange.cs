using System.Runtime.InteropServices;

namespace MemVirt.Core.Memory;

/// <summary>
/// A large zeroed range of this process's addresses of which the system provides a page when it is first written, so that what is
/// not used costs nothing. Only where the system does so without being promised the memory: Linux. Elsewhere there is none.
/// </summary>
internal static unsafe partial class FlatRange
{
    private const int ProtectReadWrite = 3;
    private const int MapPrivateAnonymousNoReserve = 0x4022;
    private const int AdviseNoHugePages = 15;
    private const nint Failed = -1;

    /// <summary>Reserves a range; null where the system gives none.</summary>
    internal static byte* Reserve(ulong lengthBytes)
    {
        if (!OperatingSystem.IsLinux() || sizeof(nint) < sizeof(ulong))
        {
            return null;
        }

        nint start = Map(0, (nuint)lengthBytes, ProtectReadWrite, MapPrivateAnonymousNoReserve, -1, 0);
        if (start == Failed)
        {
            return null;
        }

        // Tables lie far apart in memory: a huge page for each would make 4 KiB cost 2 MiB.
        _ = Advise(start, (nuint)lengthBytes, AdviseNoHugePages);
        return (byte*)start;
    }

    internal static void Release(byte* start, ulong lengthBytes)
    {
        if (start is not null)
        {
            _ = Unmap((nint)start, (nuint)lengthBytes);
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint lengthBytes, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint lengthBytes);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint lengthBytes, int advice);
}
