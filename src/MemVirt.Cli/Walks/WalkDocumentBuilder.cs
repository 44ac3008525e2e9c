using MemVirt.Cli.Rendering;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Walks;

/// <summary>Puts explanations into words, once for text, JSON and page alike.</summary>
internal static class WalkDocumentBuilder
{
    internal static WalkDocument Build(WalkRequest request, IReadOnlyList<AccessExplanation> explained, IReadOnlyList<string> notes)
    {
        AccessExplanation first = explained[0];
        string kind = WalkNames.Of(first.Access.Kind);
        bool user = request.Made is null or { Registers.CurrentPrivilegeLevel: 3 };
        string address = FaultWords.Hex(first.Access.Address);
        string bytes = first.Access.SizeBytes == 1 ? "byte" : "bytes";
        string title = request.Trace is { } trace
            ? NumberText.Line($"Reference {trace.Reference:N0} of {Path.GetFileName(trace.Path)}: a {kind} of {first.Access.SizeBytes} {bytes} at {address}")
            : $"A {kind} at {address}{(user ? "" : " in supervisor mode")}";
        return new WalkDocument(
            request.Machine.Name,
            PageSizeNames.Of(request.GuestPages),
            PageSizeNames.Of(request.HostPages),
            title,
            request.CommandLine,
            request.Trace is null ? null : new WalkTrace(request.Trace.Path, request.Trace.Reference),
            new WalkAccess(kind, address, first.Access.SizeBytes, user),
            request.Made?.Changes ?? [],
            [.. explained.Select(access => OfRegime(access, request.Machine))],
            notes,
            Letters(explained));
    }

    private static WalkOfRegime OfRegime(AccessExplanation access, MachineDescription machine) => new(
        RegimeNames.Of(access.Regime),
        WalkHeadline.Of(access),
        access.Cycles,
        [.. access.Translations.Select(translation => OfTranslation(access.Regime, translation, machine))],
        access.FirstTouch,
        WalkWhy.Of(access, machine));

    private static WalkTranslation OfTranslation(Regime regime, TranslationExplanation translation, MachineDescription machine) => new(
        FaultWords.Hex(FaultWords.Canonical(translation.Address)),
        translation.Cycles,
        [.. translation.Attempts.Select(attempt => OfAttempt(regime, translation.Address, attempt, machine))],
        [.. translation.Misses.Select(miss => new WalkMiss(WalkNames.Of(miss.Cache), CauseName(miss.Cause), miss.LastTouch == 0 ? null : miss.LastTouch))],
        translation.Again is { } again ? new WalkAgain(again.Reads, again.Cycles, [.. again.CacheHits.Select(OfHit)]) : null);

    private static WalkAttempt OfAttempt(Regime regime, ulong address, AttemptExplanation attempt, MachineDescription machine) => new(
        attempt.Cycles,
        [.. attempt.Lookups.Select(lookup => OfLookup(lookup, machine))],
        attempt.Walk is { } walk ? OfWalk(regime, walk) : null,
        attempt.IsHypothetical,
        attempt.Software,
        attempt.SoftwareCycles,
        SoftwareWords.After(regime, attempt),
        attempt.Injected is { } injected ? FaultWords.Injected(injected, address) : null);

    private static WalkLookup OfLookup(TlbLookup lookup, MachineDescription machine)
    {
        IReadOnlyList<TlbStructureDescription> structures = lookup.Level switch
        {
            TranslationCache.L1i => machine.Tlb.L1i,
            TranslationCache.L1d => machine.Tlb.L1d,
            _ => machine.Tlb.L2,
        };
        return new WalkLookup(
            WalkNames.Of(lookup.Level), lookup.IsHit, lookup.WasClean, lookup.Structure < 0 ? null : WalkNames.Of(structures[lookup.Structure]),
            lookup.Size is { } size ? PageSizeNames.Of(size) : null, lookup.Cycles);
    }

    private static WalkDetail OfWalk(Regime regime, WalkExplanation walk)
    {
        bool nested = regime is Regime.Ept or Regime.Npt;
        return new WalkDetail(
            walk.Reads,
            walk.Skipped,
            walk.Cycles,
            walk.IsComplete && nested ? FaultWords.Hex(walk.GuestPhysical) : null,
            walk.IsComplete ? FaultWords.Hex(walk.HostPhysical) : null,
            walk.IsComplete ? PageSizeNames.Of(walk.Outcome.Size) : null,
            [.. walk.References.Select((reference, at) => OfReference(regime, reference, at + 1))],
            [.. walk.CacheHits.Select(OfHit)],
            FaultWords.Of(regime, walk));
    }

    private static WalkHit OfHit(WalkCacheHit hit) => new(WalkNames.Of(hit.Cache), WalkNames.Entry(hit.GuestLevel), hit.Cycles, hit.Skipped);

    private static WalkLine OfReference(Regime regime, WalkReference reference, int number)
    {
        string stage = reference.Kind == TableKind.SecondStage ? WalkNames.Of(regime) : WalkNames.TableOf(regime, reference.Kind);
        return new WalkLine(
            number,
            $"{stage} {WalkNames.Entry(reference.Level)}",
            WalkNames.TableOf(regime, reference.Kind),
            reference.Level,
            WalkNames.Entry(reference.GuestLevel),
            FaultWords.Hex(reference.HostAddress),
            reference.GuestPhysical is { } gpa ? FaultWords.Hex(gpa) : null,
            FaultWords.Hex(reference.Entry),
            EntryWords.Letters(regime, reference.Kind, reference.Entry, reference.Level),
            EntryWords.Words(regime, reference.Kind, reference.Entry, reference.Level),
            LeadsTo(regime, reference, stage),
            !reference.IsSkipped,
            WalkNames.Of(reference.Server),
            reference.Cycles,
            EntryWords.Flags(regime, reference.Kind, reference.FlagsSet));
    }

    /// <summary>What an entry refers to; its address stands in the entry.</summary>
    private static string? LeadsTo(Regime regime, WalkReference reference, string stage)
    {
        if (!EntryWords.IsPresent(regime, reference.Kind, reference.Entry))
        {
            return null;
        }

        if (!EntryWords.IsLeaf(reference.Entry, reference.Level))
        {
            return reference.Level == 0 ? null : $"{stage} {WalkNames.Table(reference.Level - 1)}";
        }

        return reference.Kind == TableKind.SecondStage && reference.GuestLevel >= 0 ? $"guest {WalkNames.Table(reference.GuestLevel)}"
            : reference.Kind == TableKind.Guest && regime != Regime.Native ? "guest page"
            : "host page";
    }

    private static string CauseName(MissCause cause) => cause switch
    {
        MissCause.NoSuchCache => "noSuchCache",
        MissCause.FirstTouch => "firstTouch",
        MissCause.FirstTouchOfKind => "firstTouchOfKind",
        MissCause.Clean => "clean",
        MissCause.Evicted => "evicted",
        MissCause.Lost => "lost",
        _ => "unknown",
    };

    /// <summary>The letters that occur, in the order in which they do.</summary>
    private static IReadOnlyList<WalkLetter> Letters(IReadOnlyList<AccessExplanation> explained) =>
    [
        .. explained
            .SelectMany(access => access.Translations.SelectMany(translation => translation.Attempts)
                .SelectMany(attempt => attempt.Walk?.References ?? [])
                .Where(reference => EntryWords.IsPresent(access.Regime, reference.Kind, reference.Entry))
                .SelectMany(reference => EntryWords.Bits(access.Regime, reference.Kind, reference.Entry, reference.Level)))
            .Where(bit => bit.Letter != "-")
            .Select(bit => new WalkLetter(bit.Letter, bit.Letter == "PS" ? "large page" : bit.Words))
            .DistinctBy(letter => letter.Letter),
    ];
}
