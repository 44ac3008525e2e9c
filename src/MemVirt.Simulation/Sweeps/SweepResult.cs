using System.Text.Json;
using System.Text.Json.Serialization;

namespace MemVirt.Simulation.Sweeps;

/// <summary>
/// A sweep, whole or a part of it. Serialises as <c>memvirt.sweep/1</c>; holds nothing that differs from run to run, so that equal sweeps
/// are equal files.
/// </summary>
/// <param name="Definition">What the whole sweep covers.</param>
/// <param name="Shard">Which part this is; null for the whole.</param>
/// <param name="Rows">A row for each point and regime, in the order of the definition, points outermost.</param>
public sealed record SweepResult(
    SweepDefinition Definition,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] SweepShard? Shard,
    IReadOnlyList<SweepRow> Rows)
{
    /// <summary>The name and version of the schema.</summary>
    public const string SchemaName = "memvirt.sweep/1";

    /// <summary>The schema's name and version.</summary>
    [JsonPropertyOrder(-1)]
    public string Schema { get; init; } = SchemaName;

    /// <summary>Writes it as JSON.</summary>
    public void Write(Stream stream) => JsonSerializer.Serialize(stream, this, SweepJsonContext.Default.SweepResult);

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="SweepException">It is something else.</exception>
    public static SweepResult Read(Stream stream, string name)
    {
        try
        {
            SweepResult? result = JsonSerializer.Deserialize(stream, SweepJsonContext.Default.SweepResult);
            return result is { Schema: SchemaName, Definition: not null, Rows: not null }
                ? result
                : throw new SweepException($"{name}: is not of the schema {SchemaName}; give files that `memvirt sweep --json` wrote");
        }
        catch (JsonException exception)
        {
            throw new SweepException(
                $"{name}: is no sweep's JSON, or cut short (line {(exception.LineNumber ?? 0) + 1}): delete it and run its part again", exception);
        }
    }
}

/// <summary>One of several parts of a sweep.</summary>
/// <param name="Part">Which, from 1.</param>
/// <param name="Of">Of how many.</param>
public sealed record SweepShard(int Part, int Of)
{
    /// <summary>The points of the part: a run of them, so that a part reads as few traces as can be.</summary>
    public (int First, int End) PointsOf(int points)
        => ((int)((long)points * (Part - 1) / Of), (int)((long)points * Part / Of));
}

/// <summary>One regime at one point.</summary>
public sealed record SweepRow(
    int Point,
    string Trace,
    string Machine,
    int L2TlbEntries,
    string GuestPages,
    string HostPages,
    string Regime,
    long References,
    long L1iTlbMisses,
    long L1dTlbMisses,
    long L2TlbMisses,
    long Walks,
    long WalkReferences,
    long WalkCacheHits,
    long GuestPageFaults,
    long Exits,
    double BaseCycles,
    double TlbCycles,
    double WalkCycles,
    double FaultCycles,
    double ExitCycles,
    double Cycles,
    double CyclesPerReference,
    double? OverheadVsNative);

/// <summary>A sweep's parts cannot be read or joined: the message is one line that says which file, what is wrong and what to do.</summary>
public sealed class SweepException : Exception
{
    /// <summary>An exception with a line for the user.</summary>
    public SweepException(string message) : base(message) { }

    /// <summary>An exception with a line for the user and its cause.</summary>
    public SweepException(string message, Exception inner) : base(message, inner) { }
}

/// <summary>The serialisation code, generated at compile time.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n")]
[JsonSerializable(typeof(SweepResult))]
internal sealed partial class SweepJsonContext : JsonSerializerContext;
