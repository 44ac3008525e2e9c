namespace MemVirt.Cpu;

/// <summary>What CPUID returns.</summary>
/// <param name="Eax">EAX.</param>
/// <param name="Ebx">EBX.</param>
/// <param name="Ecx">ECX.</param>
/// <param name="Edx">EDX.</param>
public readonly record struct CpuidLeaf(uint Eax, uint Ebx, uint Ecx, uint Edx);
