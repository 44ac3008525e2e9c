using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MemVirt.Native;

/// <summary>A verification as JSON, schema <c>memvirt.verify-kvm/1</c>; words of 64 bits are hexadecimal strings.</summary>
public static class KvmVerificationJson
{
    /// <summary>The result as text, indented.</summary>
    public static string Text(KvmVerificationResult result)
        => JsonSerializer.Serialize(result, KvmVerificationJsonContext.Default.KvmVerificationResult);
}

/// <summary>The serialisation code, generated at compile time.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    WriteIndented = true,
    UseStringEnumConverter = true,
    Converters = [typeof(HexadecimalConverter)])]
[JsonSerializable(typeof(KvmVerificationResult))]
internal sealed partial class KvmVerificationJsonContext : JsonSerializerContext;

/// <summary>JSON's numbers are doubles to many readers, which 64 bits do not fit.</summary>
internal sealed class HexadecimalConverter : JsonConverter<ulong>
{
    public override ulong Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        => ulong.Parse(reader.GetString().AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    public override void Write(Utf8JsonWriter writer, ulong value, JsonSerializerOptions options)
        => writer.WriteStringValue(string.Create(CultureInfo.InvariantCulture, $"0x{value:x}"));
}
