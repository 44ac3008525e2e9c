using MemVirt.Cli.Rendering;
using MemVirt.Core.Shadow;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Walks;

/// <summary>What software did about a fault.</summary>
internal static class SoftwareWords
{
    /// <summary>After an attempt; null where nothing was done.</summary>
    internal static string? After(Regime regime, AttemptExplanation attempt) => attempt.Shadow switch
    {
        ShadowFaultKind.Guest => "the VMM walks the guest's own tables, and they fault: the fault is the guest's",
        ShadowFaultKind.Shadow => "the guest's own tables allow it: the VMM fills the shadow tables in and resumes the guest",
        ShadowFaultKind.Dirty => "the guest's own tables allow it: the VMM sets D in the guest's leaf, makes the shadow leaf writable and resumes",
        ShadowFaultKind.ProtectedTable => "the page holds a shadowed table of the guest's: the VMM emulates the store",
        ShadowFaultKind.Mmio => "no memory lies at the guest-physical address: the VMM emulates the access",
        _ => OfEvents(regime, attempt.Software),
    };

    /// <summary>What the first touch of a page cost.</summary>
    internal static string FirstTouch(Regime regime, EventCounts events)
    {
        string[] parts =
        [
            Plural(events.GuestPageFaults, "guest page fault"),
            Plural(events.SecondStageFaults, regime == Regime.Ept ? "EPT violation" : "nested page fault"),
            Plural(events.ShadowFaults, "shadow fault"),
            Plural(events.ProtectedTableWrites, "write to a protected table", "writes to protected tables"),
            Plural(events.Exits, "exit"),
        ];
        return "The first touch cost " + string.Join(", ", parts.Where(part => part.Length > 0)) + ".";
    }

    private static string? OfEvents(Regime regime, EventCounts events)
    {
        if (events.GuestPageFaults > 0)
        {
            string writes = Plural(events.PageTableWrites, "table write");
            string exits = regime != Regime.Shadow ? ""
                : $", through {Plural(events.Exits, "exit")} ({string.Join(", ", new[]
                {
                    "the fault itself", Plural(events.ProtectedTableWrites, "write to a protected table", "writes to protected tables"),
                    Plural(events.Unsyncs, "table out of sync", "tables out of sync"),
                }.Where(part => part.Length > 0))})";
            return $"the guest maps the page with {writes}{exits}";
        }

        return events.SecondStageFaults > 0 ? "the VMM backs the guest-physical page and resumes the guest"
            : events.ShadowFaults > 0 ? "the VMM fills the shadow tables in and resumes the guest"
            : events.DirtyFaults > 0 ? "the VMM sets D in the guest's leaf, makes the shadow leaf writable and resumes"
            : null;
    }

    private static string Plural(long count, string one, string? many = null)
        => count == 0 ? "" : NumberText.Line($"{count:N0} {(count == 1 ? one : many ?? one + "s")}");
}
