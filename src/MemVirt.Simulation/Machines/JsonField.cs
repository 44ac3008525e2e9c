using System.Globalization;
using System.Text.Json;

namespace MemVirt.Simulation.Machines;

/// <summary>One value of a JSON document together with its path, so that whoever rejects it can say where it stands.</summary>
internal readonly struct JsonField
{
    private readonly JsonElement _value;

    private JsonField(string file, string path, JsonElement value)
    {
        File = file;
        Path = path;
        _value = value;
    }

    /// <summary>The file as the user named it.</summary>
    public string File { get; }

    /// <summary>The value's path, for example <c>tlb.l2[0].ways</c>; empty for the document itself.</summary>
    public string Path { get; }

    public static JsonField Root(string file, JsonElement root) => new(file, "", root);

    /// <summary>A line for the user about this value.</summary>
    public MachineException Error(string problem) => new($"{File}: {(Path.Length == 0 ? "" : Path + ": ")}{problem}");

    /// <summary>Checks that the value is an object without fields other than these.</summary>
    public JsonField Object(params ReadOnlySpan<string> known)
    {
        Expect(JsonValueKind.Object, "an object, { … }");
        foreach (JsonProperty property in _value.EnumerateObject())
        {
            if (!known.Contains(property.Name))
            {
                throw Child(property.Name, property.Value)
                    .Error($"unknown field; the fields here are {string.Join(", ", known.ToArray())}");
            }
        }

        return this;
    }

    /// <summary>A field that must be there.</summary>
    public JsonField Required(string name, string whatToWrite)
        => Optional(name) ?? throw Child(name, default).Error($"missing; write {whatToWrite}");

    /// <summary>A field that may be missing or null.</summary>
    public JsonField? Optional(string name)
        => _value.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? Child(name, value) : null;

    /// <summary>The elements of an array.</summary>
    public List<JsonField> Elements(int limit)
    {
        Expect(JsonValueKind.Array, "an array, [ … ]");
        if (_value.GetArrayLength() > limit)
        {
            throw Error($"{_value.GetArrayLength()} elements; write at most {limit}");
        }

        var elements = new List<JsonField>();
        foreach (JsonElement element in _value.EnumerateArray())
        {
            elements.Add(new JsonField(File, $"{Path}[{elements.Count}]", element));
        }

        return elements;
    }

    /// <summary>The object's fields, each a string.</summary>
    public Dictionary<string, string> Strings()
    {
        Expect(JsonValueKind.Object, "an object of strings, { \"tlb\": \"…\" }");
        var strings = new Dictionary<string, string>();
        foreach (JsonProperty property in _value.EnumerateObject())
        {
            strings.Add(property.Name, Child(property.Name, property.Value).Text());
        }

        return strings;
    }

    public string Text()
    {
        Expect(JsonValueKind.String, "a string in quotes");
        return _value.GetString()!;
    }

    /// <summary>A whole number from 1 to <paramref name="limit"/>.</summary>
    public int Count(int limit)
    {
        Expect(JsonValueKind.Number, "a whole number");
        return _value.TryGetInt32(out int count) && count >= 1 && count <= limit
            ? count
            : throw Error($"{_value.GetRawText()} is out of range; write a whole number from 1 to {limit}");
    }

    public ulong Seed()
    {
        Expect(JsonValueKind.Number, "a whole number");
        return _value.TryGetUInt64(out ulong seed)
            ? seed
            : throw Error($"{_value.GetRawText()} is no seed; write a whole number from 0 to {ulong.MaxValue}");
    }

    /// <summary>A finite number from 0 to <paramref name="limit"/>.</summary>
    public double Number(double limit = MachineLimits.Cycles)
    {
        Expect(JsonValueKind.Number, "a number");
        return _value.TryGetDouble(out double number) && number >= 0 && number <= limit
            ? number
            : throw Error(string.Create(
                CultureInfo.InvariantCulture, $"{_value.GetRawText()} is out of range; write a number from 0 to {limit:0.###}"));
    }

    /// <summary>One of a few words.</summary>
    public T Word<T>(params ReadOnlySpan<(string Word, T Value)> words)
    {
        string text = Text();
        var known = new List<string>();
        foreach ((string word, T value) in words)
        {
            if (word == text)
            {
                return value;
            }

            known.Add('"' + word + '"');
        }

        throw Error($"\"{text}\" is unknown; write {string.Join(" or ", known)}");
    }

    private void Expect(JsonValueKind kind, string whatToWrite)
    {
        if (_value.ValueKind != kind)
        {
            throw Error($"{Describe(_value)} where {whatToWrite} belongs");
        }
    }

    private JsonField Child(string name, JsonElement value) => new(File, Path.Length == 0 ? name : $"{Path}.{name}", value);

    private static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "the number " + value.GetRawText(),
        JsonValueKind.Null => "null",
        _ => value.GetRawText(),
    };
}
