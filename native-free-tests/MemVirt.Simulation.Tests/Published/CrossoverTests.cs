using MemVirt.Simulation.Machines;
using Xunit.Abstractions;

namespace MemVirt.Simulation.Tests.Published;

public sealed class CrossoverTests(ITestOutputHelper output)
{
    [Fact]
    public void Probe()
    {
        MachineDescription machine = MachinePresets.Load("skylake");
        var watch = System.Diagnostics.Stopwatch.StartNew();
        foreach (int far in (int[])[1, 10, 100, 300])
        {
            using var e = new EptMachine(machine);
            using var s = new ShadowMachine(machine);
            var ew = new CrossoverWorkload(e, machine); var sw = new CrossoverWorkload(s, machine);
            output.WriteLine($"{watch.ElapsedMilliseconds} ms built");
            foreach (Disturbance d in Enum.GetValues<Disturbance>())
            foreach (int events in (int[])[1, 10, 100, 1000])
            {
                ExitCounts before = s.Exits with { };
                output.WriteLine($"{far} {d} {events}: ept {ew.Run(far, d, events)} shadow {sw.Run(far, d, events)} {watch.ElapsedMilliseconds} {ExitCounts.Difference(s.Exits, before)}");
            }
        }
    }
}
