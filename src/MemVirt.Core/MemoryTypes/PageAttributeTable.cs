namespace MemVirt.Core.MemoryTypes;

/// <summary>
/// IA32_PAT: eight memory types, which entries choose from by their PWT, PCD and PAT bits (Intel SDM Vol. 3A §11.12).
/// </summary>
public readonly record struct PageAttributeTable
{
    private const ulong ResetValue = 0x0007_0406_0007_0406;
    private readonly ulong _changed;

    private PageAttributeTable(ulong value) => _changed = value ^ ResetValue;

    /// <summary>
    /// The table after power-up: WB, WT, UC-, UC, twice (Intel SDM Vol. 3A table 11-12); also the default of this type.
    /// </summary>
    public static PageAttributeTable Reset => default;

    /// <summary>The MSR's value.</summary>
    public ulong Value => _changed ^ ResetValue;

    /// <summary>
    /// WRMSR to IA32_PAT: false, which is #GP(0), where one of the eight bytes is no memory type (Intel SDM Vol. 3A table 11-10).
    /// </summary>
    public static bool TryCreate(ulong value, out PageAttributeTable table)
    {
        table = default;
        for (int index = 0; index < 8; index++)
        {
            if (!MemoryTypeEncodings.IsAttributeType((byte)(value >> (8 * index))))
            {
                return false;
            }
        }

        table = new PageAttributeTable(value);
        return true;
    }

    /// <summary>The memory type at an index from 0 to 7; see <see cref="PageAttributeBits"/>.</summary>
    public MemoryType TypeAt(int index) => (MemoryType)(Value >> (8 * index) & 7);
}
