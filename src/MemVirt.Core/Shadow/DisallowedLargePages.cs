using MemVirt.Core.Addresses;

namespace MemVirt.Core.Shadow;

/// <summary>
/// Which larger pages hold a frame that holds a shadowed table: those are not mapped whole, so that the table alone can be
/// write-protected (KVM's disallow_lpage).
/// </summary>
internal sealed class DisallowedLargePages
{
    private readonly CompactMap _in2M = new();
    private readonly CompactMap _in1G = new();

    /// <summary>Bytes in use.</summary>
    internal long Bytes => _in2M.Bytes + _in1G.Bytes;

    /// <summary>Whether the page of a level above 0 that holds an address holds a shadowed table.</summary>
    internal bool Contains(ulong gpa, int level)
        => (level == 1 ? _in2M[gpa >> PageSize.Size2M.SizeLog2()] : _in1G[gpa >> PageSize.Size1G.SizeLog2()]) != 0;

    /// <summary>A table at an address has one shadow page more, or one less.</summary>
    internal void Change(ulong gpa, int by)
    {
        Change(_in2M, gpa >> PageSize.Size2M.SizeLog2(), by);
        Change(_in1G, gpa >> PageSize.Size1G.SizeLog2(), by);
    }

    private static void Change(CompactMap counts, ulong page, int by)
    {
        int at = counts.Find(page);
        ulong count = counts.WordAt(at) + (ulong)by;
        if (count == 0)
        {
            counts.RemoveAt(at);
        }
        else
        {
            counts.SetAt(at, page, count);
        }
    }
}
