namespace MemVirt.Cpu.Machine.Interrupts.Apic;

/// <summary>The six entries of the local vector table (Intel SDM Vol. 3A §11.5.1, figure 11-8). Nothing is ever seen being delivered.</summary>
internal sealed class LocalVectorTable
{
    /// <summary>The mask bit.</summary>
    internal const uint Masked = 1U << 16;

    private const uint DeliveryStatus = 1U << 12;
    private const uint RemoteRequest = 1U << 14;
    private const int Count = ApicRegister.LvtError - ApicRegister.LvtTimer + 1;

    private readonly uint[] _entries = new uint[Count];

    /// <summary>The bits that an entry has, those that are only read among them.</summary>
    internal static uint DefinedBits(int register) => register switch
    {
        ApicRegister.LvtTimer => 0x7_10FF,
        ApicRegister.LvtError => 0x1_10FF,
        ApicRegister.LvtLint0 or ApicRegister.LvtLint1 => 0x1_F7FF,
        _ => 0x1_17FF,
    };

    internal uint this[int register]
    {
        get => _entries[register - ApicRegister.LvtTimer];
        set => _entries[register - ApicRegister.LvtTimer] = value & DefinedBits(register) & ~(DeliveryStatus | RemoteRequest);
    }

    internal bool IsMasked(int register) => (this[register] & Masked) != 0;

    /// <summary>Whether LINT0 or LINT1 is a level.</summary>
    internal bool IsLevel(int register) => (this[register] & (1U << 15)) != 0;

    internal DeliveryMode ModeOf(int register) => (DeliveryMode)((this[register] >> 8) & 7);

    /// <summary>After reset.</summary>
    internal void Reset() => Array.Fill(_entries, Masked);

    /// <summary>Software disables the APIC.</summary>
    internal void MaskAll()
    {
        for (int index = 0; index < Count; index++)
        {
            _entries[index] |= Masked;
        }
    }
}
