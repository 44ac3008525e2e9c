using MemVirt.Core.Access;
using MemVirt.Core.Formats;

namespace MemVirt.Core.Mapping;

/// <summary>A change made to every leaf of a range.</summary>
internal interface ILeafEdit
{
    /// <summary>Whether it unmaps, and so may leave empty tables behind.</summary>
    static abstract bool Removes { get; }

    /// <summary>What a present leaf becomes; 0 to unmap it.</summary>
    ulong Change(ulong leaf, int level);

    /// <summary>A leaf was replaced, and this is what it held at that very moment.</summary>
    void Changed(ulong address, ulong before, int level);
}

/// <summary>Unmaps.</summary>
internal readonly struct RemoveLeaf : ILeafEdit
{
    public static bool Removes => true;

    public ulong Change(ulong leaf, int level) => 0;

    public void Changed(ulong address, ulong before, int level)
    {
        // What is gone is of no interest.
    }
}

/// <summary>Sets the rights.</summary>
internal readonly struct SetRights<TFormat>(AccessRights rights) : ILeafEdit
    where TFormat : struct, IPageTableFormat
{
    public static bool Removes => false;

    public ulong Change(ulong leaf, int level) => LeafBits<TFormat>.WithRights(leaf, level, rights);

    public void Changed(ulong address, ulong before, int level)
    {
        // What it granted is of no interest.
    }
}
