using CsCheck;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;

namespace MemVirt.Core.Tests.Mapping;

/// <summary>
/// Random edits against a dictionary of 4 KiB pages. A format is a subclass of one line. CsCheck prints the seed of a failure and
/// the
/// shortest sequence of edits that shows it.
/// </summary>
public abstract class EditorModelTests<TFormat>
    where TFormat : struct, IPageTableFormat
{
    private const ulong Base = 0x7F80_0000_0000;
    private const int Regions = 4;
    private const int PagesOfRegion = 512;

    private static readonly AccessRights[] SomeRights =
    [
        AccessRights.All, AccessRights.All & ~AccessRights.Write, AccessRights.All & ~AccessRights.Execute,
        AccessRights.Read | AccessRights.User,
    ];

    private static readonly int[] Lengths = [1, 3, PagesOfRegion, 2 * PagesOfRegion];

    private static readonly Gen<Step> Steps =
        from kind in Gen.Enum<StepKind>()
        from region in Gen.Int[0, Regions - 1]
        from page in Gen.Frequency((3, Gen.Const(0)), (2, Gen.Int[0, PagesOfRegion - 1]))
        from length in Gen.Int[0, Lengths.Length - 1]
        from right in Gen.Int[0, SomeRights.Length - 1]
        from frame in Gen.Int[0, 1]
        select new Step(kind, region, page, Lengths[length], SomeRights[right], frame);

    private enum StepKind
    {
        MapSmall,
        MapLarge,
        MapAllSmall,
        Unmap,
        Protect,
        Split,
        Merge,
        Read,
        Write,
    }

    [Fact]
    public void Tables_say_what_a_dictionary_of_pages_says()
        => Steps.Array[1, 60].Sample(
            steps =>
            {
                using var bed = new EditorBed<TFormat>();
                var model = new Dictionary<ulong, Page>();
                foreach (Step step in steps)
                {
                    Do(bed, model, step);
                    Compare(bed, model);
                }

                bed.Finish(bed.Unmap(Base, Regions * PagesOfRegion << 12));
                Assert.Equal(1, bed.TablesInUse);
            },
            iter: 120);

    private static void Do(EditorBed<TFormat> bed, Dictionary<ulong, Page> model, Step step)
    {
        ulong region = Base + ((ulong)step.Region << 21);
        ulong address = region + ((ulong)step.Page << 12);
        switch (step.Kind)
        {
            case StepKind.MapSmall:
                Map(bed, model, address, PageSize.Size4K, step);
                break;
            case StepKind.MapLarge:
                Map(bed, model, region, PageSize.Size2M, step);
                break;
            case StepKind.MapAllSmall:
                for (ulong at = region; at < region + (1UL << 21); at += 4096)
                {
                    Map(bed, model, at, PageSize.Size4K, step);
                }

                break;
            case StepKind.Unmap:
            case StepKind.Protect:
                ChangeRange(bed, model, address, step);
                break;
            case StepKind.Split:
                Split(bed, model, address);
                break;
            case StepKind.Merge:
                Merge(bed, model, region);
                break;
            default:
                Touch(bed, model, address, isWrite: step.Kind == StepKind.Write);
                break;
        }
    }

    private static void Map(EditorBed<TFormat> bed, Dictionary<ulong, Page> model, ulong address, PageSize size, Step step)
    {
        ulong frame = (1UL << 32) + ((ulong)step.Frame << 30) + (address - Base);
        bool isLarge = size == PageSize.Size2M;
        EditStatus expected = model.TryGetValue(address, out Page? there) && (there.IsLarge || !isLarge) ? EditStatus.AlreadyMapped
            : isLarge && Span(address, 512).Any(model.ContainsKey) ? EditStatus.SmallerPagesMapped
            : EditStatus.Done;
        PendingInvalidation pending = bed.Map(address, frame, size, step.Rights);
        Assert.Equal(expected, pending.Status);
        Assert.False(pending.IsNeeded);
        if (expected != EditStatus.Done)
        {
            return;
        }

        foreach (ulong page in Span(address, isLarge ? 512 : 1))
        {
            model[page] = new Page(frame + (page - address), step.Rights, isLarge, Accessed: true, Dirty: false);
        }
    }

    private static void ChangeRange(EditorBed<TFormat> bed, Dictionary<ulong, Page> model, ulong address, Step step)
    {
        ulong length = (ulong)step.Pages << 12;
        ulong end = address + length;
        bool cuts = (IsLarge(model, address) && (address & 0x1F_FFFF) != 0) || (IsLarge(model, end - 4096) && (end & 0x1F_FFFF) != 0);
        ulong[] touched = [.. Span(address, step.Pages).Where(model.ContainsKey)];
        bool weakens = !cuts && touched.Any(page => step.Kind == StepKind.Unmap || (model[page].Rights & ~step.Rights) != 0);
        PendingInvalidation pending = step.Kind == StepKind.Unmap ? bed.Unmap(address, length) : bed.Protect(address, length, step.Rights);
        Assert.Equal(cuts ? EditStatus.CutsLargerPage : EditStatus.Done, pending.Status);
        Assert.Equal(weakens, pending.IsNeeded);
        if (cuts)
        {
            Assert.Throws<InvalidOperationException>(() => { bed.Finish(pending); });
            return;
        }

        bed.Finish(pending);
        foreach (ulong page in touched)
        {
            if (step.Kind == StepKind.Unmap)
            {
                model.Remove(page);
            }
            else
            {
                model[page] = model[page] with { Rights = step.Rights };
            }
        }
    }

    private static void Split(EditorBed<TFormat> bed, Dictionary<ulong, Page> model, ulong address)
    {
        PendingInvalidation pending = bed.Split(address);
        Assert.Equal(model.ContainsKey(address) ? EditStatus.Done : EditStatus.NotMapped, pending.Status);
        Assert.Equal(IsLarge(model, address), pending.IsNeeded);
        if (!pending.IsNeeded)
        {
            return;
        }

        bed.Finish(pending);
        foreach (ulong page in Span(address & ~0x1F_FFFFUL, 512))
        {
            model[page] = model[page] with { IsLarge = false };
        }
    }

    private static void Merge(EditorBed<TFormat> bed, Dictionary<ulong, Page> model, ulong region)
    {
        ulong[] span = [.. Span(region, 512)];
        bool any = span.Any(model.ContainsKey);
        bool alike = span.All(page => model.TryGetValue(page, out Page? it)
            && model.TryGetValue(region, out Page? first) && it.Frame == first.Frame + (page - region) && it.Rights == first.Rights
            && (first.Frame & 0x1F_FFFF) == 0);
        EditStatus expected = !any ? EditStatus.NotMapped
            : IsLarge(model, region) ? EditStatus.AlreadyMapped
            : alike ? EditStatus.Done : EditStatus.NotMergeable;
        PendingInvalidation pending = bed.Merge(region);
        Assert.Equal(expected, pending.Status);
        if (expected != EditStatus.Done)
        {
            return;
        }

        Assert.Equal(1, pending.RemovedTables);
        bed.Finish(pending);
        bool accessed = span.Any(page => model[page].Accessed);
        bool dirty = span.Any(page => model[page].Dirty);
        foreach (ulong page in span)
        {
            model[page] = model[page] with { IsLarge = true, Accessed = accessed, Dirty = dirty };
        }
    }

    private static void Touch(EditorBed<TFormat> bed, Dictionary<ulong, Page> model, ulong address, bool isWrite)
    {
        Assert.Equal(model.ContainsKey(address), bed.Touch(address, TFormat.AccessedBit | (isWrite ? TFormat.DirtyBit : 0)));
        if (!model.ContainsKey(address) || !isWrite)
        {
            return;
        }

        IEnumerable<ulong> span = IsLarge(model, address) ? Span(address & ~0x1F_FFFFUL, 512) : [address];
        foreach (ulong page in span)
        {
            model[page] = model[page] with { Dirty = true };
        }
    }

    private static void Compare(EditorBed<TFormat> bed, Dictionary<ulong, Page> model)
    {
        foreach (ulong address in Span(Base, Regions * PagesOfRegion))
        {
            (ulong leaf, int level, _) = bed.LeafOf(address);
            Page? found = leaf == 0 ? null : new Page(
                bed.FrameOf(address), TFormat.Rights(leaf) & AccessRights.All, level == 1, (leaf & TFormat.AccessedBit) != 0, (leaf & TFormat.DirtyBit) != 0);
            Assert.Equal(model.GetValueOrDefault(address), found);
        }
    }

    private static bool IsLarge(Dictionary<ulong, Page> model, ulong address)
        => model.TryGetValue(address, out Page? page) && page.IsLarge;

    private static IEnumerable<ulong> Span(ulong address, int pages)
        => Enumerable.Range(0, pages).Select(page => address + ((ulong)page << 12));

    private sealed record Page(ulong Frame, AccessRights Rights, bool IsLarge, bool Accessed, bool Dirty);

    private sealed record Step(StepKind Kind, int Region, int Page, int Pages, AccessRights Rights, int Frame);
}

public sealed class X64EditorModelTests : EditorModelTests<X64FourLevel>;

public sealed class EptEditorModelTests : EditorModelTests<EptFormat>;

public sealed class NptEditorModelTests : EditorModelTests<NptFormat>;

public sealed class FiveLevelEptEditorModelTests : EditorModelTests<FiveLevels<EptFormat>>;

public sealed class PaeEditorModelTests : EditorModelTests<PaeFormat>;
