using MemVirt.Core.Access;

namespace MemVirt.Core.Shadow;

/// <summary>
/// The current CR3 and the three loaded most recently before it, which stay in sync (KVM's cached previous roots); of a PCID, the last one
/// alone, for once a PCID has another root nothing more of the old one may come into its TLB entries.
/// </summary>
internal sealed class RecentRoots
{
    private const int Kept = 4;
    private readonly ulong[] _roots = new ulong[Kept];
    private int _count;

    /// <summary>The current CR3.</summary>
    internal ulong Current => _roots[0];

    /// <summary>Every CR3 kept, the current one first.</summary>
    internal ReadOnlySpan<ulong> All => _roots.AsSpan(0, _count);

    /// <summary>Keeps none.</summary>
    internal void Clear() => _count = 0;

    /// <summary>Makes a CR3 current; false where it was not among those kept.</summary>
    internal bool Load(ulong cr3)
    {
        int place = 0;
        while (place < _count && PcidOf(_roots[place]) != PcidOf(cr3))
        {
            place++;
        }

        bool isKept = place < _count && _roots[place] == cr3;
        if (place == _count)
        {
            _count = Math.Min(_count + 1, Kept);
            place = _count - 1;
        }

        Array.Copy(_roots, 0, _roots, 1, place);
        _roots[0] = cr3;
        return isKept;
    }

    /// <summary>Keeps the root of a PCID no longer, unless it is the current one; returns whether it is.</summary>
    internal bool Forget(ulong pcid)
    {
        for (int place = 1; place < _count; place++)
        {
            if (PcidOf(_roots[place]) == pcid)
            {
                _roots.AsSpan(place + 1, _count - place - 1).CopyTo(_roots.AsSpan(place));
                _count--;
                break;
            }
        }

        return PcidOf(Current) == pcid;
    }

    private static ulong PcidOf(ulong cr3) => cr3 & PagingContext.MaxProcessContext;
}
