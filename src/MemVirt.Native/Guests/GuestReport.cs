using MemVirt.Native.Kvm;

namespace MemVirt.Native.Guests;

/// <summary>What a guest reported of one access.</summary>
internal readonly record struct GuestReport
{
    private const byte InvalidOpcode = 6;
    private const byte PageFault = 14;

    internal KvmExit Exit { get; init; }

    /// <summary>Of <see cref="KvmExit.InternalError"/>: KVM's reason.</summary>
    internal uint Suberror { get; init; }

    internal byte Vector { get; init; }

    internal uint ErrorCode { get; init; }

    internal ulong InstructionPointer { get; init; }

    internal ulong Cr2 { get; init; }

    /// <summary>Whether the instruction pointer is that of the ud2 after the access.</summary>
    internal bool EndedWhereItShould { get; init; }

    internal bool Succeeded => Exit == KvmExit.PortAccess && Vector == InvalidOpcode && EndedWhereItShould;

    internal bool Faulted => Exit == KvmExit.PortAccess && Vector == PageFault;

    public override string ToString()
        => Succeeded ? "succeeded"
            : Faulted ? $"#PF error 0x{ErrorCode:x}, CR2 0x{Cr2:x}"
            : Exit == KvmExit.PortAccess ? $"exception {Vector}, error 0x{ErrorCode:x}, at 0x{InstructionPointer:x}"
            : Exit == KvmExit.InternalError ? $"no report: {Exit}, suberror {Suberror}"
            : $"no report: {Exit}";
}
