using System.Diagnostics.CodeAnalysis;
using MemVirt.Core.Addresses;
using MemVirt.Core.Memory;

namespace MemVirt.Core.Shadow;

/// <summary>
/// Which guest frames hold tables that are shadowed, and which larger pages hold such a frame: those are not mapped whole, so that
/// the table alone can be write-protected (KVM's disallow_lpage).
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The map frees its memory with the last reference to it, as the pager's users expect.")]
internal sealed class ShadowedFrames
{
    private readonly FrameMap _frames = new(0);
    private readonly Dictionary<ulong, int> _in2M = [];
    private readonly Dictionary<ulong, int> _in1G = [];

    /// <summary>Whether the frame holds a table that any page shadows. Two loads.</summary>
    internal bool Contains(ulong gpa) => _frames[gpa >> PageSize.Size4K.SizeLog2()] != 0;

    /// <summary>Whether the page of a level above 0 that holds an address holds a shadowed table.</summary>
    internal bool AnyIn(ulong gpa, int level)
        => level == 1
            ? _in2M.ContainsKey(gpa >> PageSize.Size2M.SizeLog2())
            : _in1G.ContainsKey(gpa >> PageSize.Size1G.SizeLog2());

    internal void Add(ulong gpa) => Change(gpa, +1);

    internal void Remove(ulong gpa) => Change(gpa, -1);

    private void Change(ulong gpa, int by)
    {
        ulong frame = gpa >> PageSize.Size4K.SizeLog2();
        _frames[frame] = (ulong)((long)_frames[frame] + by);
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
