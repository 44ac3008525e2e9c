using MemVirt.Simulation.Traces;
using Xunit.Abstractions;

namespace MemVirt.Simulation.Tests.Traces;

/// <summary>Counts of real traces, where they lie beside the repository; elsewhere there is nothing to test.</summary>
public sealed class SharedTraceTests(ITestOutputHelper output)
{
    [Fact]
    public void The_first_two_million_references_of_the_compiler_are_those_of_the_contract()
    {
        string? path = Find("gcc-cc1-20m.lackey.xz");
        if (path is null)
        {
            output.WriteLine("not run: there is no ../shared/traces beside the repository");
            return;
        }

        var statistics = new TraceStatistics();
        var buffer = new MemoryReference[10_000];
        using ITraceReader reader = TraceFile.Open(path);
        while (statistics.References < 2_000_000)
        {
            int wanted = (int)Math.Min(buffer.Length, 2_000_000 - statistics.References);
            statistics.Add(buffer.AsSpan(0, reader.Read(buffer.AsSpan(0, wanted))));
        }

        Assert.Equal(1_444_089, statistics.InstructionFetches);
        Assert.Equal(323_592, statistics.Loads);
        Assert.Equal(232_319, statistics.Stores);
        Assert.Equal(863, statistics.Crossings);
        Assert.Equal(909, statistics.DistinctPages4k);
    }

    private static string? Find(string name)
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "MemVirt.sln")))
            {
                string path = Path.Combine(folder.FullName, "..", "shared", "traces", name);
                return File.Exists(path) ? path : null;
            }
        }

        return null;
    }
}
