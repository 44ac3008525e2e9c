namespace MemVirt.Core.Shadow;

/// <summary>The current CR3 and the three loaded most recently before it, which stay in sync (KVM's cached previous roots).</summary>
internal sealed class RecentRoots
{
    private const int Kept = 4;
    private readonly ulong[] _roots = new ulong[Kept];
    private int _count;

    /// <summary>The current CR3.</summary>
    internal ulong Current => _roots[0];

    /// <summary>Every CR3 kept, the current one first.</summary>
    internal ReadOnlySpan<ulong> All => _roots.AsSpan(0, _count);

    /// <summary>Makes a CR3 current; false where it was not among those kept.</summary>
    internal bool Load(ulong root)
    {
        int place = Array.IndexOf(_roots, root, 0, _count);
        bool cached = place >= 0;
        if (!cached)
        {
            _count = Math.Min(_count + 1, Kept);
            place = _count - 1;
        }

        Array.Copy(_roots, 0, _roots, 1, place);
        _roots[0] = root;
        return cached;
    }
}
