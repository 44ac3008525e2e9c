using System.Text.Json.Serialization;
using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Walks;

/// <summary>An explained access, all that the text and the page show. Serialises as <c>memvirt.walk/1</c>; docs/walk.md describes it.</summary>
internal sealed record WalkDocument(
    string Machine, string GuestPages, string HostPages, string Title, string Command, WalkTrace? Trace, WalkAccess Access,
    IReadOnlyList<string> Changes, IReadOnlyList<WalkOfRegime> Regimes, IReadOnlyList<string> Notes, IReadOnlyList<WalkLetter> Letters)
{
    [JsonPropertyOrder(-1)]
    public string Schema => "memvirt.walk/1";
}

internal sealed record WalkTrace(string Path, long Reference);

internal sealed record WalkAccess(string Kind, string Address, int SizeBytes, bool User);

/// <summary>What a letter of the bits' column means.</summary>
internal sealed record WalkLetter(string Letter, string Words);

internal sealed record WalkOfRegime(
    string Regime, string Headline, double Cycles, IReadOnlyList<WalkTranslation> Translations, EventCounts? FirstTouch, string Why);

internal sealed record WalkTranslation(
    string Address, double Cycles, IReadOnlyList<WalkAttempt> Attempts, IReadOnlyList<WalkMiss> Misses, WalkAgain? Again);

internal sealed record WalkMiss(string Cache, string Cause, long? LastTouch);

/// <summary>The same walk right afterwards, were the TLBs alone empty.</summary>
internal sealed record WalkAgain(int Reads, double Cycles, IReadOnlyList<WalkHit> CacheHits);

internal sealed record WalkAttempt(
    double Cycles, IReadOnlyList<WalkLookup> Lookups, WalkDetail? Walk, bool Hypothetical, EventCounts Software, double SoftwareCycles,
    string? Then, WalkFault? Injected);

internal sealed record WalkLookup(string Level, bool Hit, bool DroppedForStore, string? Structure, string? PageSize, double Cycles);

internal sealed record WalkDetail(
    int Reads, int Skipped, double Cycles, string? GuestPhysical, string? HostPhysical, string? PageSize,
    IReadOnlyList<WalkLine> References, IReadOnlyList<WalkHit> CacheHits, WalkFault? Fault);

/// <summary>One reference in the order of the walk without caches.</summary>
internal sealed record WalkLine(
    int Number, string Name, string Table, int Level, string For, string HostAddress, string? GuestPhysical, string Entry, string Bits,
    IReadOnlyList<string> Words, string? LeadsTo, bool Read, string By, double Cycles, IReadOnlyList<string> Sets);

internal sealed record WalkHit(string Cache, string For, double Cycles, int Skipped);

/// <summary>A fault as hardware reports it.</summary>
internal sealed record WalkFault(string Name, IReadOnlyList<WalkFaultField> Fields, string Delivery);

internal sealed record WalkFaultField(string Name, string Value, IReadOnlyList<WalkFaultBit> Bits);

internal sealed record WalkFaultBit(int Bit, string Name, int Value, string Words);

/// <summary>The serialisation code, generated at compile time so that nothing is reflected over at start.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, GenerationMode = JsonSourceGenerationMode.Default,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(WalkDocument))]
internal sealed partial class WalkJsonContext : JsonSerializerContext;
