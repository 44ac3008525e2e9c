using MemVirt.Cpu.Spaces;
using Xunit.Abstractions;

namespace MemVirt.Cpu.Tests.Execution;

/// <summary>Random bytes as guest code: the process lives, every guest ends, and nothing outside its RAM is touched.</summary>
public sealed class RandomCodeTests(ITestOutputHelper output)
{
    private const ulong MostInstructions = 2000;

    [Fact]
    public void Guests_of_random_bytes_end_and_stay_within_their_memory()
    {
        int guests = int.TryParse(Environment.GetEnvironmentVariable("MEMVIRT_CASES"), out int cases) ? cases : 6000;
        int seed = int.TryParse(Environment.GetEnvironmentVariable("MEMVIRT_SEED"), out int given) ? given : 20261123;
        output.WriteLine($"seed {seed}, {guests} guests");
        var random = new Random(seed);
        var code = new byte[64];
        var ends = new Dictionary<GuestStop, int>();
        for (int i = 0; i < guests; i++)
        {
            random.NextBytes(code);
            int level = i % 4 == 0 ? 0 : 3;
            GuestRegime regime = (GuestRegime)(i / 7 % 4);
            using var guest = new CodeGuest(code, regime, level);
            for (int register = 0; register < 16; register++)
            {
                guest.Machine.Processor.Register(register * 8) = random.Next(3) switch
                {
                    0 => (ulong)random.NextInt64(), 1 => (ulong)random.Next(0x40_0000), _ => CodeGuest.Data + (ulong)random.Next(0x1000),
                };
            }

            GuestStop stop = guest.Machine.Run(MostInstructions);
            ends[stop] = ends.GetValueOrDefault(stop) + 1;
            Assert.True(guest.Machine.Summary().VirtualNanoseconds < MostInstructions * 100_000 || stop != GuestStop.TimeOver, $"guest {i}");
        }

        output.WriteLine(string.Join(", ", ends.Select(end => $"{end.Key} {end.Value}")));
        Assert.True(ends.ContainsKey(GuestStop.TripleFault) && ends.Values.Sum() == guests);
    }
}
