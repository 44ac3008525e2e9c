using MemVirt.Core.Addresses;

namespace MemVirt.Core.Shadow;

/// <summary>
/// Which larger pages hold a frame that holds a shadowed table: those are not mapped whole, so that the table alone can be
/// write-protected (KVM's disallow_lpage).
/// </summary>
internal sealed class DisallowedLargePages
{
    private readonly Dictionary<ulong, int> _in2M = [];
    private readonly Dictionary<ulong, int> _in1G = [];

    /// <summary>Whether the page of a level above 0 that holds an address holds a shadowed table.</summary>
    internal bool Contains(ulong gpa, int level)
        => level == 1
            ? _in2M.ContainsKey(gpa >> PageSize.Size2M.SizeLog2())
            : _in1G.ContainsKey(gpa >> PageSize.Size1G.SizeLog2());

    /// <summary>A table at an address has one shadow page more, or one less.</summary>
    internal void Change(ulong gpa, int by)
    {
        Change(_in2M, gpa >> PageSize.Size2M.SizeLog2(), by);
        Change(_in1G, gpa >> PageSize.Size1G.SizeLog2(), by);
    }

    private static void Change(Dictionary<ulong, int> counts, ulong page, int by)
    {
        int count = counts.GetValueOrDefault(page) + by;
        if (count == 0)
        {
            counts.Remove(page);
        }
        else
        {
            counts[page] = count;
        }
    }
}
