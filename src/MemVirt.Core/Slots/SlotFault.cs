namespace MemVirt.Core.Slots;

/// <summary>What a second-stage fault turned out to be.</summary>
public enum SlotFault : byte
{
    /// <summary>No slot is there: the VMM emulates a device.</summary>
    NoSlot,

    /// <summary>A write to a read-only slot: the VMM decides.</summary>
    ReadOnlySlot,

    /// <summary>The page was absent, and is mapped now.</summary>
    Mapped,

    /// <summary>The page may be written now; if writes are logged, it is marked.</summary>
    MadeWritable,

    /// <summary>The tables grant the access already, another processor having been here first: try again.</summary>
    Settled,
}
