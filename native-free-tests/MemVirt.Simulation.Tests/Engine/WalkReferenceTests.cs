using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Tests.Support;

namespace MemVirt.Simulation.Tests.Engine;

/// <summary>References of a completed walk without caches: (g + 1)(h + 1) − 1 for g guest and h host levels.</summary>
[Trait("Category", "published")]
public class WalkReferenceTests
{
    [Theory]
    [InlineData("4k", "4k", 4, 4, 24)]
    [InlineData("2m", "4k", 3, 4, 19)]
    [InlineData("4k", "2m", 4, 4, 19)]
    [InlineData("2m", "2m", 3, 3, 15)]
    [InlineData("1g", "1g", 2, 2, 8)]
    [InlineData("1g", "4k", 2, 4, 14)]
    [InlineData("4k", "1g", 4, 4, 14)]
    [InlineData("1g", "2m", 2, 3, 11)]
    [InlineData("2m", "1g", 3, 3, 11)]
    public void A_walk_costs_exactly_its_levels(string guestPages, string hostPages, double native, double shadow, double nested)
    {
        var options = new ComparisonOptions
        {
            Machines = [MachinePresets.Load("teaching")],
            GuestPages = TestMachines.Size(guestPages),
            HostPages = TestMachines.Size(hostPages),
        };
        ComparisonResult result = Comparison.Run([new MemoryTrace(RandomTraces.Create(seed: 5, 20_000))], options)[0];
        Assert.Equal([native, shadow, nested, nested], result.Regimes.Select(regime => regime.WalkReferences.PerWalk));
        Assert.All(result.Regimes, regime => Assert.True(regime.Walks > 0));
    }
}
