using MemVirt.Core.Addresses;
using MemVirt.Simulation.Machines;

namespace MemVirt.Cli.Rendering;

/// <summary>The presets, a line or two each.</summary>
internal static class MachineList
{
    public static void Write(IEnumerable<MachineDescription> machines, CommandContext context)
    {
        foreach (MachineDescription machine in machines)
        {
            context.Output.WriteLine(
                $"{machine.Name,-12}L1D TLB {Level(machine.Tlb.L1d)}; L2 TLB {Level(machine.Tlb.L2)}");
            context.Output.WriteLine($"{"",-12}{WalkCaches(machine.WalkCaches)}; {Caches(machine)}");
        }

        context.Output.WriteLine();
        context.Output.WriteLine("`memvirt machines NAME > my.json` makes a machine file to edit; `--machine my.json` uses it.");
    }

    private static string Level(IReadOnlyList<TlbStructureDescription> level) => level.Count == 0
        ? "none"
        : string.Join(" + ", level.Select(structure => $"{structure.Entries}×{string.Join('/', structure.PageSizes.Select(SizeName))}"));

    private static string SizeName(PageSize size) => size switch
    {
        PageSize.Size4K => "4k",
        PageSize.Size2M => "2m",
        _ => "1g",
    };

    private static string WalkCaches(WalkCachesDescription? caches) => caches?.Holds switch
    {
        WalkCacheContent.HostPhysical => "walk caches host-physical",
        WalkCacheContent.GuestPhysical => "walk caches guest-physical",
        _ => "no walk caches",
    };

    private static string Caches(MachineDescription machine) => machine.Caches is { } caches
        ? $"caches {caches.L1d.Kib}K, {caches.L2.Kib}K, {NumberText.Bytes(caches.Llc.Kib * 1024L)}"
        : NumberText.Line($"no data caches, {machine.WalkReferenceCycles} cycles a walk reference");
}
