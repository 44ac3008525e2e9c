using MemVirt.Cli.Rendering;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Walks;

/// <summary>One sentence on why nothing cheaper was possible, of what is known for certain and nothing else.</summary>
internal static class WalkWhy
{
    internal static string Of(AccessExplanation access, MachineDescription machine)
    {
        TranslationExplanation[] translations = [.. access.Translations];
        string[] sentences = [.. translations.Select(translation => Sentence(access, translation, machine))];
        return sentences.Length == 1
            ? Capital(sentences[0]) + "."
            : $"Its bytes lie in two pages. The first: {sentences[0]}. The last: {sentences[1]}.";
    }

    private static string Sentence(AccessExplanation access, TranslationExplanation translation, MachineDescription machine)
    {
        AttemptExplanation last = translation.Attempts[^1];
        if (last.IsHypothetical)
        {
            CacheMiss? missed = translation.Misses.Count > 0 ? translation.Misses[0] : null;
            return last.Lookups[^1].Level == TranslationCache.L2
                ? $"the L2 TLB had the translation, and the cheaper {WalkNames.Of(last.Lookups[0].Level)} had not: {CauseOf(missed!)}"
                : $"a hit of the {WalkNames.Of(last.Lookups[0].Level)} costs nothing, so that nothing is cheaper";
        }

        WalkExplanation walk = last.Walk!;
        if (!walk.IsComplete)
        {
            return "every cache was empty, and only the last entry read tells that the access faults";
        }

        string begins = access.FirstTouch is null ? TlbsOf(translation) : "every cache was empty";
        return $"{begins}; {StructuresOf(access, translation, walk, machine)}";
    }

    private static string TlbsOf(TranslationExplanation translation)
    {
        if (translation.Attempts.Count > 1)
        {
            return translation.Attempts.Any(attempt => attempt.Software.GuestPageFaults > 0)
                ? "the page was touched for the first time, and what is not mapped is in no TLB"
                : translation.Attempts.Any(attempt => attempt.Software.DirtyFaults > 0)
                    ? "a store was made to a page that was not dirty yet, and the fault drops what TLBs hold of it"
                    : "the translation was not there yet, and what is not mapped is in no TLB";
        }

        CacheMiss[] misses = [.. translation.Misses.Where(miss => miss.Cache <= TranslationCache.L2)];
        return misses.Select(miss => miss.Cause).Distinct().Count() == 1 && misses[0].Cause != MissCause.NoSuchCache
            ? $"{(misses.Length == 1 ? $"the {WalkNames.Of(misses[0].Cache)} had" : $"the {string.Join(" and ", misses.Select(miss => WalkNames.Of(miss.Cache)))} had")} no usable entry: {CauseOf(misses[0])}"
            : string.Join(", ", misses.Select(miss => $"the {WalkNames.Of(miss.Cache)} had no usable entry: {CauseOf(miss)}"));
    }

    /// <summary>What the walk caches spared, and why they did not spare more.</summary>
    private static string StructuresOf(AccessExplanation access, TranslationExplanation translation, WalkExplanation walk, MachineDescription machine)
    {
        bool nested = access.Regime is Regime.Ept or Regime.Npt;
        var parts = new List<string>();
        CacheMiss? miss = translation.Attempts.Count == 1 ? translation.Misses.FirstOrDefault(miss => miss.Cache > TranslationCache.L2) : null;
        if (walk.Skipped == 0 && machine.WalkCaches is null)
        {
            return NumberText.Line($"this machine has no walk caches, so all {Count(walk.Reads, "reference")} had to be made");
        }

        foreach (WalkCacheHit hit in walk.CacheHits.Where(hit => hit.Cache <= WalkServer.PdeCache))
        {
            parts.Add(NumberText.Line($"the {WalkNames.Of(hit.Cache)} spared {Count(hit.Skipped, "reference")}"));
        }

        if (translation.Attempts.Count > 1 && parts.Count == 0 && machine.WalkCaches is not null && DropsCaches(access.Regime, translation.Attempts[^2]))
        {
            parts.Add("a fault drops what the paging-structure caches hold of its address");
        }

        if (miss is not null)
        {
            parts.Add($"the {WalkNames.Of(miss.Cache)} had no entry: {CauseOf(miss)}");
        }

        if (nested && machine.WalkCaches is not null)
        {
            parts.Add(SecondStageOf(walk, machine));
        }

        parts.Add(walk.Reads == 1 && !nested
            ? "the leaf entry itself is in no walk cache"
            : $"{Count(walk.Reads, "reference")} {(walk.Reads == 1 ? "was" : "were")} left");
        return string.Join(", ", parts);
    }

    /// <summary>Whether the fault was the access's own, rather than one of the second stage at a table.</summary>
    private static bool DropsCaches(Regime regime, AttemptExplanation faulted)
        => regime is Regime.Native or Regime.Shadow || faulted.Software.SecondStageFaults == 0 || !faulted.Walk!.Outcome.IsTableAccess;

    private static string SecondStageOf(WalkExplanation walk, MachineDescription machine)
    {
        int asked = walk.References.Where(reference => reference.Kind == Core.Walking.TableKind.SecondStage)
            .Where(reference => !reference.IsSkipped || reference.Server > WalkServer.PdeCache)
            .Select(reference => reference.GuestLevel).Distinct().Count();
        int hits = walk.CacheHits.Count(hit => hit is { Cache: WalkServer.NestedTlb, Skipped: > 0 });
        return machine.WalkCaches!.NestedTlb is null
            ? "this machine has no nested TLB"
            : NumberText.Line($"the nested TLB answered {hits} of the {asked} guest-physical addresses asked for");
    }

    private static string CauseOf(CacheMiss miss) => miss.Cause switch
    {
        MissCause.NoSuchCache => miss.Cache <= TranslationCache.L2 ? "none of its structures holds this page size" : "this machine has none",
        MissCause.FirstTouch => $"this {WalkNames.RegionOf(miss.Cache)} was touched for the first time",
        MissCause.FirstTouchOfKind => $"this page was touched for the first time by {(miss.Cache == TranslationCache.L1i ? "a fetch" : "data")}",
        MissCause.Clean => "it had one, but of a page not dirty yet, and a store has to set D",
        MissCause.Evicted => NumberText.Line($"displaced by others (its {WalkNames.RegionOf(miss.Cache)} was last touched by reference {miss.LastTouch:N0})"),
        MissCause.Lost => NumberText.Line(
            $"lost to others, a flush or a fault (its {WalkNames.RegionOf(miss.Cache)} was last touched by reference {miss.LastTouch:N0})"),
        _ => "why cannot be told",
    };

    private static string Count(int count, string noun) => NumberText.Line($"{count} {noun}{(count == 1 ? "" : "s")}");

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];
}
