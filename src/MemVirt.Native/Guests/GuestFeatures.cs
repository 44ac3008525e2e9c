using MemVirt.Core.Registers;
using MemVirt.Native.Kvm;

namespace MemVirt.Native.Guests;

/// <summary>Reads the processor's features, as the engine knows them, out of CPUID.</summary>
internal static class GuestFeatures
{
    private const uint AuthenticAmdEbx = 0x6874_7541;
    private const uint HygonGenuineEbx = 0x6F67_7948;

    internal static ProcessorFeatures Of(in KvmCpuid cpuid)
    {
        KvmCpuidEntry vendor = Leaf(in cpuid, 0);
        KvmCpuidEntry basic = Leaf(in cpuid, 1);
        KvmCpuidEntry extended = Leaf(in cpuid, 0x8000_0001);
        KvmCpuidEntry structured = Leaf(in cpuid, 7);
        return new ProcessorFeatures
        {
            Vendor = vendor.Ebx is AuthenticAmdEbx or HygonGenuineEbx ? ProcessorVendor.Amd : ProcessorVendor.Intel,
            PhysicalAddressBits = Math.Clamp((int)(Leaf(in cpuid, 0x8000_0008).Eax & 0xFF), 32, 52),
            Pages1G = Bit(extended.Edx, 26),
            NoExecute = Bit(extended.Edx, 20),
            PageAttributeTable = Bit(basic.Edx, 16),
            PageGlobal = Bit(basic.Edx, 13),
            ProcessContexts = Bit(basic.Ecx, 17),
            LinearAddress57 = Bit(structured.Ecx, 16),
            SupervisorExecutionPrevention = Bit(structured.Ebx, 7),
            SupervisorAccessPrevention = Bit(structured.Ebx, 20),
            ProtectionKeysUser = Bit(structured.Ecx, 3),
            ProtectionKeysSupervisor = Bit(structured.Ecx, 31),
        };
    }

    private static bool Bit(uint register, int bit) => ((register >> bit) & 1) != 0;

    /// <summary>A leaf at sub-leaf 0; zeros where there is none.</summary>
    private static KvmCpuidEntry Leaf(in KvmCpuid cpuid, uint function)
    {
        foreach (ref readonly KvmCpuidEntry entry in ((ReadOnlySpan<KvmCpuidEntry>)cpuid.Entries)[..(int)cpuid.Count])
        {
            if (entry.Function == function && entry.Index == 0)
            {
                return entry;
            }
        }

        return default;
    }
}
