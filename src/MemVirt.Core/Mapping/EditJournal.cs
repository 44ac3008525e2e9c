using MemVirt.Core.Formats;

namespace MemVirt.Core.Mapping;

/// <summary>What an edit has changed so far, as far as caches of the old state are concerned.</summary>
internal struct EditJournal
{
    private bool _needed;
    private bool _structural;
    private byte _smallestShift;
    private byte _addressBits;
    private ulong _removed;
    private int _removedCount;

    public EditJournal() => _smallestShift = byte.MaxValue;

    /// <summary>
    /// A leaf was replaced. What only grants more need not be forgotten (Intel SDM Vol. 3A §4.10.4.3); that R/W going from 0 to 1
    /// makes a dirty page no shadow-stack page any more counts as granting.
    /// </summary>
    internal void Replaced<TFormat>(ulong before, ulong after, int level)
        where TFormat : struct, IPageTableFormat
    {
        ulong usage = TFormat.AccessedBit | TFormat.DirtyBit;
        bool weaker = !TFormat.IsPresent(after)
            || TFormat.PageAddress(before, level) != TFormat.PageAddress(after, level)
            || (TFormat.Rights(before) & ~TFormat.Rights(after)) != 0
            || (before & ~after & usage) != 0;
        if (TFormat.IsPresent(before) && weaker)
        {
            _needed = true;
            _smallestShift = Math.Min(_smallestShift, (byte)TFormat.ShiftOf(level));
            _addressBits = (byte)TFormat.ShiftOf(TFormat.Levels);
        }
    }

    /// <summary>Processors must acknowledge, whatever entries changed.</summary>
    internal void Force() => _needed = _structural = true;

    /// <summary>Pages changed their size.</summary>
    internal void Resized() => _needed = _structural = true;

    /// <summary>A table, all of whose entries are zero, was unlinked from the table above.</summary>
    internal void Removed<TSpace>(ref TSpace space, ulong table, int level)
        where TSpace : struct, ITableSpace
    {
        space.Write(table, _removed, level);
        _removed = table;
        _removedCount++;
        _needed = _structural = true;
    }

    /// <summary>What must be forgotten because of all that.</summary>
    internal readonly PendingInvalidation Pending(AddressRange range)
        => _needed
            ? new PendingInvalidation(
                range, _structural ? (byte)12 : _smallestShift, _addressBits, _structural, new ReusableTables(_removed, _removedCount))
            : default;
}
