namespace MemVirt.Core.Mapping;

/// <summary>
/// Tables that an edit removed and that no processor can reach any more: an acknowledged <see cref="PendingInvalidation"/> hands
/// them back. They form a list through their first entries, so that a list of any length costs no memory; a link is the address
/// of a page and thus, in every format, an entry that is not present.
/// </summary>
public struct ReusableTables
{
    private ulong _first;

    internal ReusableTables(ulong first, int count) => (_first, Count) = (first, count);

    /// <summary>How many are left to take.</summary>
    public int Count { get; private set; }

    /// <summary>Takes a table, zeroed; false where none is left.</summary>
    public bool TryTake<TSpace>(ref TSpace space, out ulong table)
        where TSpace : struct, ITableSpace
    {
        table = _first;
        if (Count == 0)
        {
            return false;
        }

        _first = space.Read(table);
        Count--;
        space.Write(table, 0, 0);
        return true;
    }
}
