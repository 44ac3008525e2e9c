namespace MemVirt.Cpu.Machine.Interrupts.Apic;

/// <summary>
/// What the interrupt command register asks for, in a machine whose only processor has APIC ID 0 (Intel SDM Vol. 3A §11.6.1, §11.12.9).
/// </summary>
/// <param name="Low">Bits 31:0.</param>
/// <param name="Destination">Bits 63:56 in xAPIC mode, bits 63:32 in x2APIC mode.</param>
internal readonly record struct InterruptCommand(uint Low, uint Destination)
{
    private const uint IsLogical = 1U << 11;
    private const uint IsAsserted = 1U << 14;
    private const uint IsLevel = 1U << 15;

    internal byte Vector => (byte)Low;

    internal DeliveryMode Mode => (DeliveryMode)((Low >> 8) & 7);

    /// <summary>INIT level de-assert, which no processor since the Pentium 4 acts on.</summary>
    internal bool IsDeassert => (Low & (IsAsserted | IsLevel)) == IsLevel;

    /// <summary>Whether it is for this processor. The self shorthand can only be fixed, "all" not of the lowest priority (table 11-3).</summary>
    /// <param name="mode">Of the sender, which is the receiver.</param>
    /// <param name="logicalDestination">LDR.</param>
    /// <param name="destinationFormat">DFR, in xAPIC mode.</param>
    internal bool ReachesSelf(ApicMode mode, uint logicalDestination, uint destinationFormat) => ((Low >> 18) & 3) switch
    {
        0 when (Low & IsLogical) == 0 => Destination == 0 || IsBroadcast(mode),
        0 => IsBroadcast(mode) || MatchesLogical(mode, logicalDestination, destinationFormat),
        1 => Mode == DeliveryMode.Fixed,
        2 => Mode == DeliveryMode.Fixed,
        _ => false,
    };

    private bool IsBroadcast(ApicMode mode) => Destination == (mode == ApicMode.X2Apic ? uint.MaxValue : 0xFF);

    private bool MatchesLogical(ApicMode mode, uint logicalDestination, uint destinationFormat)
    {
        if (mode == ApicMode.X2Apic)
        {
            return Destination >> 16 == logicalDestination >> 16 && (Destination & logicalDestination & 0xFFFF) != 0;
        }

        uint id = logicalDestination >> 24;
        bool isFlat = destinationFormat >> 28 == 0xF;
        return isFlat
            ? (Destination & id) != 0
            : (Destination >> 4 == id >> 4 || Destination >> 4 == 0xF) && (Destination & id & 0xF) != 0;
    }
}
