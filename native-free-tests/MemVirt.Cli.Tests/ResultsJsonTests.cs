using System.Text.Json;
using System.Text.RegularExpressions;
using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Tests;

public sealed class ResultsJsonTests
{
    /// <summary>The contract's document, its values left out.</summary>
    private const string Contract = """
        { "schema": 0, "machine": 0, "guestPages": 0, "hostPages": 0,
          "inputs": [ { "path": 0, "format": 0, "references": 0, "instructionFetches": 0, "loads": 0, "stores": 0,
                        "crossings": 0, "distinctPages4k": 0 } ],
          "regimes": [ { "regime": 0, "references": 0, "translations": 0,
             "tlb": { "l1i": {"hits":0,"misses":0}, "l1d": {"hits":0,"misses":0}, "l2": {"hits":0,"misses":0} },
             "walks": 0, "walkReferences": { "guest": 0, "secondStage": 0, "shadow": 0, "total": 0, "perWalk": 0 },
             "faultedWalks": { "count": 0, "references": 0 },
             "walkCacheHits": { "pml4e":0,"pdpte":0,"pde":0,"nestedTlb":0,"nestedPml4e":0,"nestedPdpte":0,"nestedPde":0 },
             "events": { "guestPageFaults":0,"pageTableWrites":0,"contextSwitches":0,"secondStageFaults":0,
                         "shadowFaults":0,"dirtyFaults":0,"protectedTableWrites":0,"unsyncs":0,"shadowZaps":0,"exits":0 },
             "cycles": { "base":0,"tlb":0,"walk":0,"faults":0,"exits":0,"total":0,"perReference":0,"overheadVsNative":0 },
             "simulation": { "seconds":0, "referencesPerSecond":0, "allocatedBytes":0 } } ] }
        """;

    [Fact]
    public void The_fields_are_the_contracts_in_its_order()
    {
        string json = Regex.Replace(Json(SampleResults.Of("teaching", SampleResults.Ept)), @": (""[^""]*""|[-0-9.E+]+)", ": 0");
        Assert.Equal(Squeeze(Contract), Squeeze(json));
    }

    [Fact]
    public void Values_are_written_as_they_are()
    {
        using JsonDocument document = JsonDocument.Parse(Json(SampleResults.Four()));
        JsonElement ept = document.RootElement.GetProperty("regimes")[2];
        Assert.Equal("ept", ept.GetProperty("regime").GetString());
        Assert.Equal(107_420, ept.GetProperty("walkReferences").GetProperty("secondStage").GetInt64());
        Assert.Equal(24.0, ept.GetProperty("walkReferences").GetProperty("perWalk").GetDouble());
        Assert.Equal(0.981, ept.GetProperty("cycles").GetProperty("overheadVsNative").GetDouble());
        Assert.Equal(909, document.RootElement.GetProperty("inputs")[0].GetProperty("distinctPages4k").GetInt64());
    }

    [Fact]
    public void The_overhead_is_null_where_native_was_not_run()
    {
        RegimeResult ept = SampleResults.Ept with { Cycles = SampleResults.Ept.Cycles with { OverheadVsNative = null } };
        Assert.Contains("\"overheadVsNative\": null", Json(SampleResults.Of("x", ept)), StringComparison.Ordinal);
    }

    private static string Json(ComparisonResult result)
    {
        using var stream = new MemoryStream();
        ResultsJson.Write(stream, result);
        return System.Text.Encoding.UTF8.GetString(stream.ToArray());
    }

    private static string Squeeze(string json) => Regex.Replace(json, @"\s", "");
}
