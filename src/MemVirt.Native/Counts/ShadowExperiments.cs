using MemVirt.Native.Kvm;

namespace MemVirt.Native.Counts;

/// <summary>Experiments whose events a shadow MMU of KVM's kind has in exact numbers; each runs in a guest of its own.</summary>
internal static class ShadowExperiments
{
    private const ulong Accessed = 0x20;
    private const ulong Dirty = 0x40;
    private static readonly Experiment[] All =
    [
        new("4 KiB pages, A and D clear", new ShadowMapping(0),
        [
            new("write all", side => side.Touch(store: true)),
            new("write all again", side => side.Touch(store: true)),
        ]),
        new("4 KiB pages, A and D clear", new ShadowMapping(0),
        [
            new("read all", side => side.Touch(store: false)),
            new("then write all", side => side.Touch(store: true)),
        ]),
        new("4 KiB pages, A set, D clear", new ShadowMapping(Accessed),
        [
            new("read all", side => side.Touch(store: false)),
            new("then write all", side => side.Touch(store: true)),
        ]),
        new("4 KiB pages, A and D set", new ShadowMapping(Accessed | Dirty),
        [
            new("write all", side => side.Touch(store: true)),
            new("store to the 512 entries of a leaf table", side => side.StoreEntries(
                ShadowLayout.LeafTables, ShadowLayout.Data | ShadowLayout.PlainEntry, 512, 8)),
            new("write all, with no INVLPG", side => side.Touch(store: true)),
            new("INVLPG of one page, then write all", side =>
            {
                side.InvalidatePage(8);
                return side.Touch(store: true);
            }),
            new("a load of CR3, then write all", side =>
            {
                side.ReloadRoot();
                return side.Touch(store: true);
            }),
        ]),
        new("4 KiB pages, A and D set", new ShadowMapping(Accessed | Dirty),
        [
            new("write all", side => side.Touch(store: true)),
            new("store to an entry of the page directory", side => StoreToDirectory(side, 1)),
            new("16 more such stores", side => StoreToDirectory(side, 16)),
            new("write all", side => side.Touch(store: true)),
        ]),
        new("4 KiB pages, A and D set", new ShadowMapping(Accessed | Dirty),
        [
            new("write all", side => side.Touch(store: true)),
            new("store to a leaf entry what is there", StoreToLeaf),
            new("INVLPG of its page, then write all", side =>
            {
                side.InvalidatePage(0);
                return side.Touch(store: true);
            }),
            new("a load of CR3, then write all", side =>
            {
                side.ReloadRoot();
                return side.Touch(store: true);
            }),
            new("store to the leaf entry again", StoreToLeaf),
        ]),
        new("4 KiB pages, A and D set; tables written before their first use", new ShadowMapping(Accessed | Dirty),
        [
            new("store to a leaf entry what is there", StoreToLeaf),
            new("write all", side => side.Touch(store: true)),
            new("store to the leaf entry again", StoreToLeaf),
        ]),
        new("4 KiB pages, A and D set", new ShadowMapping(Accessed | Dirty),
        [
            new("write all", side => side.Touch(store: true)),
            new("load a leaf entry", side => side.LoadEntry(ShadowLayout.LeafTables)),
            new("then store what is there", StoreToLeaf),
            new("load an entry of the page directory", side => side.LoadEntry(ShadowLayout.Directory)),
            new("then store what is there", side => StoreToDirectory(side, 1)),
            new("store to halves of two entries", StoreAcrossEntries),
            new("write all", side => side.Touch(store: true)),
        ]),
        new("4 KiB pages, A and D set; two roots", new ShadowMapping(Accessed | Dirty),
        [
            new("write all", side => side.Touch(store: true)),
            new("store to a leaf entry what is there", StoreToLeaf),
            new("the store again, from the other root", side =>
            {
                side.LoadRoot(ShadowLayout.OtherRoot);
                return StoreToLeaf(side);
            }),
            new("the other root loaded again, the store again", side =>
            {
                side.ReloadRoot();
                return StoreToLeaf(side);
            }),
            new("the first root loaded, the store again", side =>
            {
                side.LoadRoot(ShadowLayout.Root);
                return StoreToLeaf(side);
            }),
        ]),
        new("2 MiB pages on 4 KiB of the host", new ShadowMapping(Accessed | Dirty, LargePages: true),
        [
            new("write every 4 KiB", side => side.Touch(store: true)),
        ]),
    ];

    /// <summary>Runs them all, or says of each why not.</summary>
    internal static IReadOnlyList<CountExperiment> Run(
        KvmDevice device, VirtualProcessorThread thread, HostDescription host, TimeSpan limit)
    {
        string? notRun = host.NestedPaging == true
            ? $"{host.Module} uses nested paging (tdp): KVM shadows nothing here"
            : null;
        return [.. All.Select(experiment => notRun is null
            ? Run(experiment, device, thread, limit)
            : new CountExperiment(experiment.Name, [], notRun))];
    }

    /// <summary>
    /// The host may move a page of the guest's meanwhile, which costs a fault more: what differs is looked at twice, and what differs
    /// by a rule differs again.
    /// </summary>
    private static CountExperiment Run(Experiment experiment, KvmDevice device, VirtualProcessorThread thread, TimeSpan limit)
    {
        CountExperiment first = RunOnce(experiment, device, thread, limit);
        return first.Steps.All(step => step.Agrees) ? first : RunOnce(experiment, device, thread, limit);
    }

    private static CountExperiment RunOnce(Experiment experiment, KvmDevice device, VirtualProcessorThread thread, TimeSpan limit)
    {
        using var guest = new ShadowGuest(device, thread, experiment.Mapping, limit);
        if (guest.WhyNotCounted() is { } reason)
        {
            return new CountExperiment(experiment.Name, [], reason);
        }

        using var engine = new ShadowEngine(guest.Machine);
        engine.WarmUp();
        var steps = new List<CountStep>();
        try
        {
            guest.WarmUp();
            foreach (Step step in experiment.Steps)
            {
                steps.Add(new CountStep(step.Name, step.Do(guest), step.Do(engine)));
            }
        }
        catch (IOException exception)
        {
            return new CountExperiment(experiment.Name, steps, exception.Message);
        }

        return new CountExperiment(experiment.Name, steps, NotRun: null);
    }

    /// <summary>Stores what is there already: only that it is written counts.</summary>
    private static ShadowCounts StoreToDirectory(IShadowSide side, int count)
        => side.StoreEntries(ShadowLayout.Directory, ShadowLayout.LeafTables | ShadowLayout.PlainEntry, count, 0);

    private static ShadowCounts StoreToLeaf(IShadowSide side)
        => side.StoreEntries(ShadowLayout.LeafTables, ShadowLayout.Data | ShadowLayout.PlainEntry, 1, 8);

    /// <summary>The upper half of the page directory's first entry and the lower of its second, with what is there.</summary>
    private static ShadowCounts StoreAcrossEntries(IShadowSide side)
        => side.StoreEntries(ShadowLayout.Directory + 4, (ShadowLayout.LeafTables + 0x1000 | ShadowLayout.PlainEntry) << 32, 1, 0);

    private sealed record Step(string Name, Func<IShadowSide, ShadowCounts> Do);

    private sealed record Experiment(string Name, ShadowMapping Mapping, IReadOnlyList<Step> Steps);
}
