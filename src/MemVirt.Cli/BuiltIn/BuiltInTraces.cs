using System.Text.Json;
using System.Text.Json.Serialization;

namespace MemVirt.Cli.BuiltIn;

/// <summary>The traces that come with the tool: those the embedded manifest lists, in its order.</summary>
internal static class BuiltInTraces
{
    public static IReadOnlyList<BuiltInTrace> All
    {
        get
        {
            using Stream? manifest = typeof(BuiltInTraces).Assembly.GetManifestResourceStream("MemVirt.BuiltIn.manifest.json");
            return manifest is null ? [] : JsonSerializer.Deserialize(manifest, BuiltInManifest.Default.ListBuiltInTrace) ?? [];
        }
    }
}

/// <summary>The manifest's reader, generated at compile time.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(List<BuiltInTrace>))]
internal sealed partial class BuiltInManifest : JsonSerializerContext;
