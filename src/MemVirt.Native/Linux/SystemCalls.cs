using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[assembly: DisableRuntimeMarshalling]

namespace MemVirt.Native.Linux;

/// <summary>
/// The functions of the C library that are used, x86-64 Linux. The variadic ones (open, ioctl, syscall) take integers and pointers
/// in the registers that a fixed signature would use (System V ABI §3.5.7).
/// </summary>
internal static unsafe partial class SystemCalls
{
    internal const int OpenReadWrite = 2;
    internal const int OpenCloseOnExec = 0x8_0000;
    internal const int ProtectReadWrite = 3;
    internal const int MapShared = 1;
    internal const int MapPrivateAnonymous = 0x22;
    internal const int MapNoReserve = 0x4000;
    internal const int AdviseNoHugePages = 15;
    internal const int SignalUser1 = 10;
    internal const int SignalMaskBlock = 0;
    internal const int NumberOfGetThreadId = 186;
    internal const int NumberOfThreadKill = 234;
    internal const int ErrorNoSuchFile = 2;
    internal const int ErrorInterrupted = 4;
    internal const int ErrorPermissionDenied = 13;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close")]
    internal static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    internal static partial nint ReadAt(int descriptor, void* buffer, nuint lengthBytes, long offset);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    internal static partial int Control(int descriptor, nuint request, nuint argument);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    internal static partial nint Map(nint address, nuint lengthBytes, int protection, int flags, int descriptor, long offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    internal static partial int Unmap(nint address, nuint lengthBytes);

    [LibraryImport("libc", EntryPoint = "madvise")]
    internal static partial int Advise(nint address, nuint lengthBytes, int advice);

    [LibraryImport("libc", EntryPoint = "getpid")]
    internal static partial int GetProcessId();

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint Call(nint number, nint first, nint second, nint third);

    [LibraryImport("libc", EntryPoint = "pthread_sigmask")]
    internal static partial int ChangeSignalMask(int how, SignalSet* set, SignalSet* old);

    [LibraryImport("libc", EntryPoint = "sigtimedwait", SetLastError = true)]
    internal static partial int WaitForSignal(SignalSet* set, void* info, TimeSpecification* limit);
}

/// <summary>glibc's and musl's sigset_t: 1,024 bits, of which the kernel knows the first 64; bit n − 1 is signal n.</summary>
[InlineArray(16)]
internal struct SignalSet
{
    private ulong _word;

    internal static SignalSet Of(int signal)
    {
        SignalSet set = default;
        set[0] = 1UL << (signal - 1);
        return set;
    }
}

/// <summary>struct timespec.</summary>
internal struct TimeSpecification
{
    internal long Seconds;
    internal long Nanoseconds;
}
