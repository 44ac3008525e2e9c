using MemVirt.Cli.Commands;
using MemVirt.Cpu;
using MemVirt.Cpu.Spaces;
using MemVirt.Simulation.Live;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Guests;

/// <summary>One run of a guest, priced under every regime on every machine that was asked for.</summary>
internal static class GuestComparer
{
    private const ulong Slice = 20_000_000;

    /// <summary>Runs the guest to its end, or to as many references as were asked for.</summary>
    /// <exception cref="CommandException">It cannot be loaded, or it went where nothing could be done.</exception>
    public static IReadOnlyList<ComparisonResult> Run(GuestRequest guest, CompareRequest request, CommandContext context)
    {
        if (guest.Profile.LinearAddress57)
        {
            throw CommandException.Usage(
                $"--cpu {guest.Profile.Name}: linear addresses of 57 bits are not compared; take five-level paging away: --cpu {guest.Profile.Name},-la57");
        }

        using var machine = new GuestMachine(new GuestOptions
        {
            MemoryBytes = guest.MemoryBytes, Regime = GuestRegime.Shadow, Profile = guest.Profile, Output = _ => { },
        });
        guest.LoadInto(machine);
        var live = new LiveGuest(
            machine.GuestMemory!, machine.HostMemory, machine.Pager!, () => machine.IsShadowed, guest.Profile.Features);
        var comparisons = new List<LiveComparison>();
        try
        {
            foreach (MachineDescription described in request.Options.Machines)
            {
                comparisons.Add(new LiveComparison(
                    described, request.Options.Regimes, request.Options.HostPages, live, machine.Registers, request.Options.Details));
            }

            var observer = new LiveObserver(comparisons);
            machine.Observer = observer;
            GuestStop stop = Run(machine, observer, request, context);
            if (stop is GuestStop.TripleFault or GuestStop.Unhandled)
            {
                throw CommandException.Failure(
                    $"{guest.Name}: {(stop == GuestStop.TripleFault ? "triple fault" : "its page tables lead where there is no memory")} "
                    + $"at {machine.Where}; see what it says with memvirt run");
            }

            return [.. comparisons.Select(comparison => comparison.Finish(guest.Name, request.Options.HostPages))];
        }
        finally
        {
            comparisons.ForEach(comparison => comparison.Dispose());
        }
    }

    private static GuestStop Run(GuestMachine machine, LiveObserver observer, CompareRequest request, CommandContext context)
    {
        for (ulong until = Slice; ; until += Slice)
        {
            GuestStop stop = machine.Run(until);
            context.Status.Report(observer.References, null);
            context.Cancellation.ThrowIfCancellationRequested();
            if (stop != GuestStop.TimeOver || observer.References >= request.Options.References)
            {
                return stop;
            }
        }
    }
}
