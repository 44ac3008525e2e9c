using MemVirt.Core.Access;
using MemVirt.Core.Tests.Tlb;
using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation.Tests.Published;

/// <summary>What upsets a steady program.</summary>
internal enum Disturbance
{
    /// <summary>The guest's kernel moves one of its pages: a PTE is written, INVLPG.</summary>
    TableEdits,

    /// <summary>Another process takes its turn: MOV to CR3 with bit 63 set.</summary>
    Switches,
}

/// <summary>What a million references cost.</summary>
/// <param name="MissesPerThousand">Completed walks for a thousand references.</param>
/// <param name="WalkCycles">Cycles of walks for one reference.</param>
/// <param name="ExitCycles">Cycles of exits for one reference.</param>
internal sealed record CrossoverCost(double MissesPerThousand, double WalkCycles, double ExitCycles)
{
    internal double Cycles => WalkCycles + ExitCycles;
}

/// <summary>
/// Two processes of which each uses 64 pages most of the time and, as often as is asked, one of <see cref="FarPages"/> others at random,
/// which the TLB does not hold. All pages are mapped, backed and shadowed before anything is counted.
/// </summary>
internal sealed class CrossoverWorkload
{
    /// <summary>References of a point: so many that one event is one a million.</summary>
    internal const int References = 1_000_000;

    internal const ulong Seed = 1;
    private const int NearPages = 64;
    private const int FarPages = 1 << 14;
    private const ulong Near = 0x1_0000_0000;
    private const ulong Far = 0x2_0000_0000;
    private readonly IVirtualMachine _machine;
    private readonly MachineDescription _description;
    private readonly GuestKernel _kernel;
    private readonly GuestProcesses _processes;
    private readonly AddressSpace[] _spaces;
    private readonly SplitMix _random = new(Seed);
    private ulong _spareFrame;
    private int _running;

    internal CrossoverWorkload(IVirtualMachine machine, MachineDescription description)
    {
        _machine = machine;
        _description = description;
        _kernel = new GuestKernel(machine, isolation: false, frames: 1 << 16, largeDirectMap: false);
        _processes = new GuestProcesses(machine, _kernel);
        _spareFrame = _kernel.Frames.Take();
        _spaces = [_kernel.NewSpace(), _kernel.NewSpace()];
        foreach (AddressSpace space in _spaces)
        {
            space.Regions.Add(new Region(Near, NearPages, RegionKind.Anonymous));
            space.Regions.Add(new Region(Far, FarPages, RegionKind.Anonymous));
            _kernel.SwitchTo(space);
            _kernel.Leave();
            TouchAll(Near, NearPages);
            TouchAll(Far, FarPages);
            _kernel.Enter();
        }

        _kernel.SwitchTo(_spaces[0]);
        _kernel.Leave();
    }

    /// <summary>Runs a million references.</summary>
    /// <param name="farPerThousand">Of a thousand references, how many go far.</param>
    /// <param name="disturbance">What happens besides.</param>
    /// <param name="events">How often.</param>
    internal CrossoverCost Run(int farPerThousand, Disturbance disturbance, int events)
    {
        Steps(References / 20, farPerThousand, disturbance, events: 0);
        ExitCounts exits = _machine.Exits with { };
        (long walks, double cycles) = (_machine.Walks, _machine.WalkCycles);
        Steps(References, farPerThousand, disturbance, events);
        ExitCounts spent = ExitCounts.Difference(_machine.Exits, exits);
        return new CrossoverCost(
            (_machine.Walks - walks) * 1000.0 / References,
            (_machine.WalkCycles - cycles) / References,
            Price(spent, _description.Costs) / References);
    }

    /// <summary>
    /// Exits at the machine file's prices. It has none for INVLPG: its handler is taken to cost what that of a CR3 load costs, which also looks
    /// one root up and synchronises.
    /// </summary>
    private static double Price(ExitCounts exits, CostDescription costs)
        => (exits.Total * costs.ExitCycles)
           + ((exits.ControlRegister + exits.Invlpg) * costs.HandlerCycles.ContextSwitches)
           + (exits.GuestFaults * costs.HandlerCycles.GuestPageFaults)
           + (exits.ShadowFaults * costs.HandlerCycles.ShadowFaults)
           + (exits.TableWrites * costs.HandlerCycles.ProtectedTableWrites)
           + (exits.Unsyncs * costs.HandlerCycles.Unsyncs)
           + (exits.EptViolation * costs.HandlerCycles.SecondStageFaults);

    private void TouchAll(ulong start, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            _processes.Access(start + ((ulong)page << 12), MemoryAccess.Write);
        }
    }

    private void Steps(int references, int farPerThousand, Disturbance disturbance, int events)
    {
        long due = 0;
        for (int reference = 0; reference < references; reference++)
        {
            bool isFar = _random.Below(1000) < farPerThousand;
            ulong page = (ulong)(isFar ? _random.Below(FarPages) : _random.Below(NearPages));
            ulong address = (isFar ? Far : Near) + (page << 12) + ((ulong)_random.Below(512) * 8);
            _processes.Access(address, MemoryAccess.Read);
            due += events;
            if (due >= references)
            {
                due -= references;
                Disturb(disturbance);
            }
        }
    }

    private void Disturb(Disturbance disturbance)
    {
        _kernel.Enter();
        if (disturbance == Disturbance.TableEdits)
        {
            _spareFrame = _processes.Migrate(Near + ((ulong)_random.Below(NearPages) << 12), _spareFrame);
        }
        else
        {
            _running ^= 1;
            _kernel.SwitchTo(_spaces[_running]);
        }

        _kernel.Leave();
    }
}
