namespace MemVirt.Cpu.Machine.Interrupts.Apic;

/// <summary>
/// A register's number: its offset in memory by 16, its MSR less 0x800 (Intel SDM Vol. 3A §11.4.1, table 11-1; §11.12.1.2, table 11-6).
/// </summary>
internal static class ApicRegister
{
    internal const int Id = 0x02;
    internal const int Version = 0x03;
    internal const int TaskPriority = 0x08;
    internal const int ArbitrationPriority = 0x09;
    internal const int ProcessorPriority = 0x0A;
    internal const int EndOfInterrupt = 0x0B;
    internal const int RemoteRead = 0x0C;
    internal const int LogicalDestination = 0x0D;
    internal const int DestinationFormat = 0x0E;
    internal const int SpuriousInterrupt = 0x0F;
    internal const int InService = 0x10;
    internal const int TriggerMode = 0x18;
    internal const int InterruptRequest = 0x20;
    internal const int InterruptRequestLast = 0x27;
    internal const int ErrorStatus = 0x28;
    internal const int Command = 0x30;
    internal const int CommandHigh = 0x31;
    internal const int LvtTimer = 0x32;
    internal const int LvtThermal = 0x33;
    internal const int LvtPerformance = 0x34;
    internal const int LvtLint0 = 0x35;
    internal const int LvtLint1 = 0x36;
    internal const int LvtError = 0x37;
    internal const int InitialCount = 0x38;
    internal const int CurrentCount = 0x39;
    internal const int DivideConfiguration = 0x3E;
    internal const int SelfIpi = 0x3F;

    /// <summary>Whether there is such a register in memory; an access to another is an error (§11.5.3, ESR bit 7).</summary>
    internal static bool IsInMemory(int register) => register
        is Id or Version
        or (>= TaskPriority and <= ErrorStatus)
        or (>= Command and <= CurrentCount)
        or DivideConfiguration;

    /// <summary>Whether RDMSR reads it; otherwise it is #GP(0).</summary>
    internal static bool IsReadableMsr(int register)
        => IsInMemory(register)
            && register is not (ArbitrationPriority or EndOfInterrupt or RemoteRead or DestinationFormat or CommandHigh);

    /// <summary>Whether WRMSR takes a value; otherwise it is #GP(0): read-only, reserved, or with reserved bits set.</summary>
    internal static bool IsWritableMsr(int register, ulong value)
    {
        const ulong command = 0xFFFF_FFFF_000C_CFFF;
        ulong writable = register switch
        {
            TaskPriority => 0xFF,
            SpuriousInterrupt => 0x3FF,
            Command => command,
            >= LvtTimer and <= LvtError => LocalVectorTable.DefinedBits(register),
            InitialCount => uint.MaxValue,
            DivideConfiguration => 0x0B,
            SelfIpi => 0xFF,
            _ => 0,
        };
        bool takesZeroOnly = register is EndOfInterrupt or ErrorStatus;
        bool isReservedTimerMode = register == LvtTimer && (value & 0x6_0000) == 0x6_0000;
        return (writable != 0 || takesZeroOnly) && (value & ~writable) == 0 && !isReservedTimerMode;
    }
}
