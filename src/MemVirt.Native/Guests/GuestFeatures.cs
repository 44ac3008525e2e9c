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
            PageSizeExtensions = Bit(basic.Edx, 3),
            PhysicalAddressExtension = Bit(basic.Edx, 6),
            PageGlobal = Bit(basic.Edx, 13),
            PageAttributeTable = Bit(basic.Edx, 16),
            PageSizeExtension36 = Bit(basic.Edx, 17),
            ProcessContexts = Bit(basic.Ecx, 17),
            NoExecute = Bit(extended.Edx, 20),
            Pages1G = Bit(extended.Edx, 26),
            LongMode = Bit(extended.Edx, 29),
            SupervisorExecutionPrevention = Bit(structured.Ebx, 7),
            SupervisorAccessPrevention = Bit(structured.Ebx, 20),
            ProtectionKeysUser = Bit(structured.Ecx, 3),
            ControlFlowEnforcement = Bit(structured.Ecx, 7) || Bit(structured.Edx, 20),
            LinearAddress57 = Bit(structured.Ecx, 16),
            ProtectionKeysSupervisor = Bit(structured.Ecx, 31),
            LinearAddressMasking = Bit(Leaf(in cpuid, 7, index: 1).Eax, 26),
        };
    }

    private static bool Bit(uint register, int bit) => ((register >> bit) & 1) != 0;

    /// <summary>A leaf and sub-leaf; zeros where there is none.</summary>
    private static KvmCpuidEntry Leaf(in KvmCpuid cpuid, uint function, uint index = 0)
    {
        foreach (ref readonly KvmCpuidEntry entry in ((ReadOnlySpan<KvmCpuidEntry>)cpuid.Entries)[..(int)cpuid.Count])
        {
            if (entry.Function == function && entry.Index == index)
            {
                return entry;
            }
        }

        return default;
    }
}
