namespace MemVirt.Native.Guests;

/// <summary>
/// Where things are in guest-physical memory. The first 2 MiB are mapped to themselves by PML4E 0 of every root: supervisor pages
/// but for the user stubs.
/// </summary>
internal static class GuestLayout
{
    internal const ulong Gdt = 0x1000;
    internal const ulong Idt = 0x2000;
    internal const ulong TaskState = 0x3000;
    internal const ulong Handlers = 0x4000;
    internal const ulong SupervisorStubs = 0x5000;
    internal const ulong UserStubs = 0x6000;
    internal const ulong SpinStub = UserStubs + 0x100;
    internal const ulong ReloadRootStub = SupervisorStubs + 0x100;
    internal const ulong InvalidatePageStub = SupervisorStubs + 0x120;
    internal const ulong LoadRootStub = SupervisorStubs + 0x140;
    internal const ulong ReadLoopStub = UserStubs + 0x200;
    internal const ulong WriteLoopStub = UserStubs + 0x220;
    internal const ulong StoreLoopStub = UserStubs + 0x240;

    /// <summary>A linear address that is mapped, for user mode too, to memory that no slot has.</summary>
    internal const ulong MissingMemory = 0xE000;
    internal const ulong SpinRoot = 0xD000;
    internal const ulong StackTop = 0x9000;
    internal const ulong FixedPointerTable = 0xA000;
    internal const ulong FixedDirectory = 0xB000;
    internal const ulong FixedTable = 0xC000;

    /// <summary>The page that probes reach, inside a 2 MiB region that large pages can map.</summary>
    internal const ulong Target = 0x3F_5000;

    /// <summary>From here on, pages are handed out.</summary>
    internal const ulong Arena = 0x40_0000;

    internal const ushort SupervisorCode = 0x08;
    internal const ushort SupervisorData = 0x10;
    internal const ushort UserData = 0x1B;
    internal const ushort UserCode = 0x23;
    internal const ushort TaskSelector = 0x28;
    internal const int StubBytes = 16;
    internal const int Vectors = 32;
    internal const ushort ReportPort = 0xF1;
}
