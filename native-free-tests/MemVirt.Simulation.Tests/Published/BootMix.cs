using MemVirt.Core.Access;
using MemVirt.Core.Tests.Tlb;

namespace MemVirt.Simulation.Tests.Published;

/// <summary>
/// A synthetic mix of events like those of a Unix system that boots: a first process forks others, which execute programs, fault pages in,
/// call the kernel, map and unmap, take turns, and end. Which event comes when is drawn from a seed; no draw depends on the machine, so that
/// every machine sees the same guest.
/// </summary>
internal sealed class BootMix
{
    /// <summary>What the order of events is drawn from.</summary>
    internal const ulong Seed = 20210517;

    /// <summary>Processes that are started, one after another.</summary>
    internal const int Processes = 140;

    private const int Alive = 8;
    private const int Turns = 5;
    private const int StepsATurn = 280;
    private const int TouchesAStep = 2;
    private const int KernelPages = 1024;
    private const int Programs = 24;
    private const int Library = 1000;
    private const ulong Text = 0x40_0000;
    private const ulong Data = 0x60_0000;
    private const ulong Heap = 0x100_0000;
    private const ulong Libraries = 0x7F00_0000_0000;
    private const ulong Maps = 0x7F40_0000_0000;
    private const ulong Stack = 0x7FFF_FFF0_0000;
    private readonly SplitMix _random = new(Seed);
    private readonly GuestKernel _kernel;
    private readonly GuestProcesses _processes;
    private readonly List<Process> _alive = [];
    private readonly ulong _kernelData;
    private int _filesRead;

    private BootMix(IVirtualMachine machine, bool isolation)
    {
        _kernel = new GuestKernel(machine, isolation, frames: 1 << 15);
        _processes = new GuestProcesses(machine, _kernel);
        _kernelData = _kernel.Frames.Take();
        for (int page = 1; page < KernelPages; page++)
        {
            Assert.Equal(_kernelData + ((ulong)page << 12), _kernel.Frames.Take());
        }
    }

    /// <summary>Boots a guest.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="isolation">Whether the guest has page-table isolation.</param>
    /// <param name="frames">Guest frames that were used.</param>
    internal static GuestEvents Run(IVirtualMachine machine, bool isolation, out int frames)
    {
        var boot = new BootMix(machine, isolation);
        boot.StartKernel();
        boot.Schedule();
        frames = boot._kernel.Frames.Touched;
        return boot._kernel.Events;
    }

    private void StartKernel()
    {
        for (int page = 0; page < KernelPages; page += 2)
        {
            _kernel.Touch(_kernelData + ((ulong)page << 12), store: true);
        }

        _kernel.MapKernel(GuestKernel.Modules, 256);
        AddressSpace first = _kernel.NewSpace();
        first.Regions.AddRange(RegionsOf(program: 0));
        _kernel.SwitchTo(first);
        _kernel.Leave();
        _alive.Add(new Process { Space = first, TurnsLeft = int.MaxValue });
    }

    private void Schedule()
    {
        int started = 1;
        int turn = 0;
        while (started < Processes || _alive.Count > 1)
        {
            Process running = _alive[turn];
            Take(running);
            _kernel.Enter();
            Work(4);
            if (started < Processes && _alive.Count < Alive)
            {
                Start(program: started++ % Programs);
            }

            turn = (turn + 1) % _alive.Count;
            if (--running.TurnsLeft > 0)
            {
                _kernel.SwitchTo(_alive[turn].Space);
            }
            else
            {
                Process next = _alive[turn];
                _processes.Exit(next.Space);
                _alive.Remove(running);
                turn = _alive.IndexOf(next);
            }

            _kernel.Leave();
        }
    }

    /// <summary>fork; the child runs a little of the old program, then executes the new one; its parent goes on where it was.</summary>
    private void Start(int program)
    {
        AddressSpace parent = _kernel.Current;
        var child = new Process { Space = _processes.Fork(), TurnsLeft = Turns };
        _kernel.SwitchTo(child.Space);
        _kernel.Leave();
        for (int step = 0; step < 12; step++)
        {
            Touch(child);
        }

        _kernel.Enter();
        child.Space = _processes.Exec(RegionsOf(program));
        child.Maps.Clear();
        _kernel.SwitchTo(parent);
        _alive.Add(child);
    }

    private void Take(Process process)
    {
        for (int step = 0; step < StepsATurn; step++)
        {
            for (int touch = 0; touch < TouchesAStep; touch++)
            {
                Touch(process);
            }

            _kernel.Enter();
            Call(process);
            _kernel.Leave();
        }
    }

    /// <summary>A system call: mostly nothing but the kernel's own work; sometimes a file is read, or memory mapped or unmapped.</summary>
    private void Call(Process process)
    {
        int kind = _random.Below(1000);
        Work(3);
        switch (kind)
        {
            case < 60:
                _kernel.Touch(_processes.CachedPage(2000 + (_filesRead / 64), _filesRead % 64), store: false);
                _filesRead += _random.Chance(25) ? 1 : 0;
                break;
            case < 65 when process.Maps.Count < 12:
                var region = new Region(
                    Maps + (process.MapsMade++ << 22), 4 + _random.Below(28), RegionKind.Anonymous);
                process.Space.Regions.Add(region);
                process.Maps.Add(region);
                break;
            case < 70 when process.Maps.Count > 0:
                Region unmapped = process.Maps[_random.Below(process.Maps.Count)];
                process.Maps.Remove(unmapped);
                _processes.Unmap(unmapped);
                break;
            case 70:
                _kernel.UnmapKernel(GuestKernel.Modules, 8);
                _kernel.MapKernel(GuestKernel.Modules, 8);
                break;
        }
    }

    /// <summary>One reference of a program; low pages of a region are used more than high ones.</summary>
    private void Touch(Process process)
    {
        List<Region> regions = process.Space.Regions;
        Region region = regions[_random.Below(regions.Count)];
        int page = Math.Min(_random.Below(region.Pages), _random.Below(region.Pages));
        MemoryAccess access = region.Kind switch
        {
            RegionKind.File => MemoryAccess.Fetch,
            RegionKind.Private => _random.Chance(30) ? MemoryAccess.Write : MemoryAccess.Read,
            _ => _random.Chance(60) ? MemoryAccess.Write : MemoryAccess.Read,
        };
        _processes.Access(region.Start + ((ulong)page << 12) + ((ulong)_random.Below(512) * 8), access);
    }

    /// <summary>The kernel uses its own data, some of it much.</summary>
    private void Work(int touches)
    {
        for (int touch = 0; touch < touches; touch++)
        {
            int page = _random.Chance(90) ? _random.Below(32) : _random.Below(KernelPages);
            _kernel.Touch(_kernelData + ((ulong)page << 12), store: _random.Chance(30));
        }
    }

    private static Region[] RegionsOf(int program) =>
    [
        new(Text, 64, RegionKind.File, program),
        new(Data, 16, RegionKind.Private, 100 + program),
        new(Heap, 64, RegionKind.Anonymous),
        new(Libraries, 300, RegionKind.File, Library),
        new(Libraries + (400UL << 12), 12, RegionKind.Private, Library + 1),
        new(Stack, 8, RegionKind.Anonymous),
    ];

    private sealed class Process
    {
        internal required AddressSpace Space { get; set; }

        internal int TurnsLeft { get; set; }

        internal List<Region> Maps { get; } = [];

        internal ulong MapsMade { get; set; }
    }
}
