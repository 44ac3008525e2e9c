using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MemVirt.Native.Linux;

/// <summary>The C library's functions for terminals (termios(3), tcgetpgrp(3), poll(2)), on Linux.</summary>
internal static unsafe partial class TerminalCalls
{
    internal const int SetNow = 0;
    internal const short PollIn = 1;
    internal const int SignalStop = 19;
    internal const int ErrorInterrupted = 4;
    internal const int ErrorTryAgain = 11;

    [LibraryImport("libc", EntryPoint = "tcgetattr", SetLastError = true)]
    internal static partial int GetAttributes(int descriptor, TerminalAttributes* attributes);

    [LibraryImport("libc", EntryPoint = "tcsetattr", SetLastError = true)]
    internal static partial int SetAttributes(int descriptor, int when, TerminalAttributes* attributes);

    [LibraryImport("libc", EntryPoint = "cfmakeraw")]
    internal static partial void MakeRaw(TerminalAttributes* attributes);

    [LibraryImport("libc", EntryPoint = "tcgetpgrp", SetLastError = true)]
    internal static partial int GetForegroundGroup(int descriptor);

    [LibraryImport("libc", EntryPoint = "getpgrp")]
    internal static partial int GetProcessGroup();

    [LibraryImport("libc", EntryPoint = "kill")]
    internal static partial int SendSignal(int process, int signal);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    internal static partial int Poll(PollEntry* entries, nuint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    internal static partial nint Read(int descriptor, void* buffer, nuint lengthBytes);
}

/// <summary>struct termios, of which glibc and musl fill 60 bytes on every architecture; the second word is c_oflag.</summary>
[InlineArray(64)]
internal struct TerminalAttributes
{
    private uint _word;
}

/// <summary>struct pollfd.</summary>
internal struct PollEntry
{
    internal int Descriptor;
    internal short Asked;
    internal short Found;
}
