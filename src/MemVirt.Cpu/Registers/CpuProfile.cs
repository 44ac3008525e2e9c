using System.Text;
using MemVirt.Core.Registers;

namespace MemVirt.Cpu;

/// <summary>
/// The processor that a guest is shown: QEMU's qemu64 (family 15, SSE3, CMPXCHG16B, NX, SYSCALL) as it stands, each of the core's paging
/// features switchable. What CPUID does not offer is reserved in the control registers.
/// </summary>
public sealed record CpuProfile
{
    private const ulong AlwaysCr4 = 0x74C; // TSD, DE, MCE, PCE, OSFXSR, OSXMMEXCPT
    private const int Apic = 9;

    /// <summary>qemu64's level.</summary>
    public static CpuProfile Qemu64 { get; } = new();

    /// <summary>qemu64 with every paging feature but five levels.</summary>
    public static CpuProfile Paging { get; } = new()
    {
        Name = "paging", Pages1G = true, ProcessContexts = true, InvalidateProcessContext = true, SupervisorExecutionPrevention = true,
        SupervisorAccessPrevention = true, ProtectionKeysUser = true, UserModeInstructionPrevention = true, SegmentBaseAccess = true, TimeStampAuxiliary = true,
    };

    /// <summary>All that there is, five levels too.</summary>
    public static CpuProfile Max { get; } = Paging with { Name = "max", LinearAddress57 = true, PopulationCount = true };

    /// <summary>The name it goes by.</summary>
    public string Name { get; init; } = "qemu64";

    /// <summary>Bits of a physical address: 40 of qemu64.</summary>
    public int PhysicalAddressBits { get; init; } = 40;

    /// <summary>NX (CPUID 80000001H:EDX[20]).</summary>
    public bool NoExecute { get; init; } = true;

    /// <summary>1 GiB pages (CPUID 80000001H:EDX[26]).</summary>
    public bool Pages1G { get; init; }

    /// <summary>PCID (CPUID 1:ECX[17]).</summary>
    public bool ProcessContexts { get; init; }

    /// <summary>INVPCID (CPUID 7:EBX[10]).</summary>
    public bool InvalidateProcessContext { get; init; }

    /// <summary>SMEP (CPUID 7:EBX[7]).</summary>
    public bool SupervisorExecutionPrevention { get; init; }

    /// <summary>SMAP (CPUID 7:EBX[20]).</summary>
    public bool SupervisorAccessPrevention { get; init; }

    /// <summary>PKU (CPUID 7:ECX[3]).</summary>
    public bool ProtectionKeysUser { get; init; }

    /// <summary>UMIP (CPUID 7:ECX[2]).</summary>
    public bool UserModeInstructionPrevention { get; init; }

    /// <summary>Five-level paging (CPUID 7:ECX[16]).</summary>
    public bool LinearAddress57 { get; init; }

    /// <summary>FSGSBASE (CPUID 7:EBX[0]).</summary>
    public bool SegmentBaseAccess { get; init; }

    /// <summary>POPCNT (CPUID 1:ECX[23]).</summary>
    public bool PopulationCount { get; init; }

    /// <summary>RDTSCP (CPUID 80000001H:EDX[27]).</summary>
    public bool TimeStampAuxiliary { get; init; }

    /// <summary>The local APIC (CPUID 1:EDX[9]).</summary>
    public bool LocalApic { get; init; } = true;

    /// <summary>The names of the profiles.</summary>
    public static IReadOnlyList<string> Names { get; } = [Qemu64.Name, Paging.Name, Max.Name];

    /// <summary>
    /// A profile by its text: a name, then features to add or take away, as in <c>qemu64,+pcid,-nx</c>.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="profile">The profile.</param>
    /// <returns>Null; or what is wrong, in one line.</returns>
    public static string? TryParse(string text, out CpuProfile profile)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] parts = text.Split(',', StringSplitOptions.TrimEntries);
        CpuProfile? named = parts[0] switch { "qemu64" => Qemu64, "paging" => Paging, "max" => Max, _ => null };
        profile = named ?? Qemu64;
        if (named is null)
        {
            return $"there is no processor profile '{parts[0]}': use one of {string.Join(", ", Names)}";
        }

        foreach (string part in parts.AsSpan(1))
        {
            if (part.Length < 2 || part[0] is not ('+' or '-') || With(profile, part[1..], part[0] == '+') is not { } changed)
            {
                return $"'{part}' is no feature of a processor profile: write + or - and one of {FeatureNames}";
            }

            profile = changed;
        }

        return null;
    }

    private const string FeatureNames = "nx, pdpe1gb, pcid, invpcid, smep, smap, pku, umip, la57, fsgsbase, popcnt, rdtscp, apic";

    /// <summary>What the paging core is told.</summary>
    public ProcessorFeatures Features => new()
    {
        Vendor = ProcessorVendor.Intel,
        PhysicalAddressBits = PhysicalAddressBits,
        Pages1G = Pages1G,
        NoExecute = NoExecute,
        LinearAddress57 = LinearAddress57,
        ProcessContexts = ProcessContexts,
        SupervisorExecutionPrevention = SupervisorExecutionPrevention,
        SupervisorAccessPrevention = SupervisorAccessPrevention,
        ProtectionKeysUser = ProtectionKeysUser,
        ProtectionKeysSupervisor = false,
        ControlFlowEnforcement = false,
        LinearAddressMasking = false,
        OtherCr4Bits = AlwaysCr4 | (UserModeInstructionPrevention ? 1UL << 11 : 0) | (SegmentBaseAccess ? 1UL << 16 : 0),
    };

    /// <summary>A leaf of CPUID.</summary>
    /// <param name="function">EAX.</param>
    /// <param name="index">ECX.</param>
    /// <param name="hasLocalApic">Whether the local APIC is enabled now.</param>
    public CpuidLeaf Leaf(uint function, uint index, bool hasLocalApic)
    {
        return function switch
        {
            0 => Vendor(7),
            1 => new(0x0000_0F61, 0x0000_0800, Features1C, Features1D | (hasLocalApic ? 1u << Apic : 0)),
            7 => index == 0 ? new(0, Features7B, Features7C, 0) : default,
            0x8000_0000 => Vendor(0x8000_0008),
            0x8000_0001 => new(0x0000_0F61, 0, 1, ExtendedD),
            0x8000_0002 => Brand(0),
            0x8000_0003 => Brand(16),
            0x8000_0004 => Brand(32),
            0x8000_0006 => new(0, 0x4200_4200, 0x0200_8140, 0),
            0x8000_0008 => new((uint)PhysicalAddressBits | (uint)(LinearAddress57 ? 57 : 48) << 8, 0, 0, 0),
            _ => default,
        };
    }

    // FPU DE PSE TSC MSR PAE MCE CX8 (APIC) SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2: qemu64's.
    private uint Features1D => 0x078B_F9FDu;

    // SSE3, CMPXCHG16B, x2APIC and TSC deadline, hypervisor present.
    private uint Features1C
        => (1u << 0) | (1u << 13) | (ProcessContexts ? 1u << 17 : 0) | (LocalApic ? (1u << 21) | (1u << 24) : 0) | (PopulationCount ? 1u << 23 : 0) | (1u << 31);

    private uint Features7B
        => (SegmentBaseAccess ? 1u : 0) | (SupervisorExecutionPrevention ? 1u << 7 : 0) | (InvalidateProcessContext ? 1u << 10 : 0)
           | (SupervisorAccessPrevention ? 1u << 20 : 0);

    private uint Features7C
        => (UserModeInstructionPrevention ? 1u << 2 : 0) | (ProtectionKeysUser ? 1u << 3 : 0) | (LinearAddress57 ? 1u << 16 : 0);

    // SYSCALL, NX, 1 GiB pages, RDTSCP, long mode.
    private uint ExtendedD
        => (1u << 11) | (NoExecute ? 1u << 20 : 0) | (Pages1G ? 1u << 26 : 0) | (TimeStampAuxiliary ? 1u << 27 : 0) | (1u << 29);

    private static CpuidLeaf Vendor(uint maximum) => new(maximum, Word("Genu"), Word("ntel"), Word("ineI"));

    private static CpuidLeaf Brand(int from)
    {
        string brand = "MemVirt virtual processor".PadRight(48, '\0');
        return new(Word(brand.AsSpan(from, 4)), Word(brand.AsSpan(from + 4, 4)), Word(brand.AsSpan(from + 8, 4)), Word(brand.AsSpan(from + 12, 4)));
    }

    private static uint Word(ReadOnlySpan<char> text)
    {
        Span<byte> bytes = stackalloc byte[4];
        Encoding.ASCII.GetBytes(text, bytes);
        return BitConverter.ToUInt32(bytes);
    }

    private static CpuProfile? With(CpuProfile profile, string feature, bool isOn) => feature switch
    {
        "nx" => profile with { NoExecute = isOn },
        "pdpe1gb" => profile with { Pages1G = isOn },
        "pcid" => profile with { ProcessContexts = isOn },
        "invpcid" => profile with { InvalidateProcessContext = isOn },
        "smep" => profile with { SupervisorExecutionPrevention = isOn },
        "smap" => profile with { SupervisorAccessPrevention = isOn },
        "pku" => profile with { ProtectionKeysUser = isOn },
        "umip" => profile with { UserModeInstructionPrevention = isOn },
        "la57" => profile with { LinearAddress57 = isOn },
        "fsgsbase" => profile with { SegmentBaseAccess = isOn },
        "popcnt" => profile with { PopulationCount = isOn },
        "rdtscp" => profile with { TimeStampAuxiliary = isOn },
        "apic" => profile with { LocalApic = isOn },
        _ => null,
    };
}
