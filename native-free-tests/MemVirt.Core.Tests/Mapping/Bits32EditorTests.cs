using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;

namespace MemVirt.Core.Tests.Mapping;

/// <summary>Entries of four bytes, two to a word, and pages of 4 MiB.</summary>
public sealed class Bits32EditorTests : IDisposable
{
    private const ulong A = 0xC000_0000;
    private const ulong Frame = 0x1_4000_0000;
    private readonly EditorBed<Bits32Format<On>> _bed = new();

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void A_page_of_4M_splits_into_1024_and_merges_again()
    {
        _bed.Map(A, A, PageSize.Size2M, AccessRights.All, dirty: true).LeaveStale("nobody runs");
        ulong before = _bed.LeafOf(A).Leaf;
        _bed.Finish(_bed.Split(A));
        for (ulong offset = 0; offset < 1UL << 22; offset += 4096)
        {
            Assert.Equal((0, A + offset), (_bed.LeafOf(A + offset).Level, _bed.FrameOf(A + offset)));
        }

        _bed.Finish(_bed.Merge(A));
        Assert.Equal(before, _bed.LeafOf(A).Leaf);
        Assert.Equal(1, _bed.TablesInUse);
    }

    [Fact]
    public void An_edit_leaves_the_other_entry_of_the_word_alone()
    {
        _bed.Map(A, 0x1000).LeaveStale("nobody runs");
        _bed.Map(A + 0x1000, 0x2000).LeaveStale("nobody runs");
        ulong first = _bed.LeafOf(A).Leaf;
        _bed.Finish(_bed.Protect(A + 0x1000, 0x1000, AccessRights.Read | AccessRights.Execute | AccessRights.User));
        Assert.Equal(first, _bed.LeafOf(A).Leaf);
        _bed.Finish(_bed.Unmap(A + 0x1000, 0x1000));
        Assert.Equal((first, 0UL), (_bed.LeafOf(A).Leaf, _bed.LeafOf(A + 0x1000).Leaf));
    }

    [Fact]
    public void A_page_above_4G_can_be_large_only()
    {
        _bed.Map(A, Frame, PageSize.Size2M).LeaveStale("nobody runs");
        Assert.Equal(Frame + 0x3000, _bed.FrameOf(A + 0x3000));
        Assert.Equal(EditStatus.NotSplittable, _bed.Split(A).Status);
        Assert.Throws<ArgumentException>(() => _bed.Map(0, Frame).LeaveStale("never reached"));
    }

    [Fact]
    public void A_range_past_32_bits_is_refused()
        => Assert.Throws<ArgumentException>(() => _bed.Unmap(0xFFFF_F000, 0x2000).LeaveStale("never reached"));
}
