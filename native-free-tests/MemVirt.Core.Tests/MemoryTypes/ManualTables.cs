using MemVirt.Core.MemoryTypes;

namespace MemVirt.Core.Tests.MemoryTypes;

/// <summary>The manuals' tables in the manuals' own order, and the abbreviations that they are written in.</summary>
internal static class ManualTables
{
    /// <summary>Intel SDM Vol. 3A table 11-7: MTRR type, PAT type, effective type.</summary>
    internal const string IntelEffective = """
        UC UC UC, UC UC- UC, UC WC WC, UC WT UC, UC WB UC, UC WP UC,
        WC UC UC, WC UC- WC, WC WC WC, WC WT UC, WC WB WC, WC WP UC,
        WT UC UC, WT UC- UC, WT WC WC, WT WT WT, WT WB WT, WT WP WP,
        WB UC UC, WB UC- UC, WB WC WC, WB WT WT, WB WB WB, WB WP WP,
        WP UC UC, WP UC- WC, WP WC WC, WP WT WT, WP WB WP, WP WP WP
        """;

    /// <summary>AMD APM Vol. 2 table 7-11 and, for the rows of WC+, table 15-20: MTRR type, PAT type, effective type.</summary>
    internal const string AmdEffective = """
        UC UC UC, WC UC CD, WP UC CD, WT UC CD, WB UC CD,
        UC UC- UC, WC UC- WC, WP UC- CD, WT UC- CD, WB UC- CD,
        UC WC WC, WC WC WC, WP WC WC, WT WC WC, WB WC WC,
        UC WC+ WC, WC WC+ WC, WP WC+ WC+, WT WC+ WC+, WB WC+ WC+,
        UC WP UC, WC WP CD, WP WP WP, WT WP CD, WB WP WP,
        UC WT UC, WC WT CD, WP WT CD, WT WT WT, WB WT WT,
        UC WB UC, WC WB WC, WP WB WP, WT WB WT, WB WB WB
        """;

    /// <summary>AMD APM Vol. 2 table 15-19: guest's PAT type, host's PAT type, combined type.</summary>
    internal const string AmdNested = """
        UC UC UC, UC UC- UC, UC WC UC, UC WP UC, UC WT UC, UC WB UC,
        UC- UC UC, UC- UC- UC-, UC- WC WC, UC- WP UC, UC- WT UC, UC- WB UC,
        WC UC WC, WC UC- WC, WC WC WC, WC WP WC+, WC WT WC+, WC WB WC+,
        WP UC UC, WP UC- UC, WP WC UC, WP WP WP, WP WT UC, WP WB WP,
        WT UC UC, WT UC- UC, WT WC UC, WT WP UC, WT WT WT, WT WB WT,
        WB UC UC, WB UC- UC-, WB WC WC, WB WP WP, WB WT WT, WB WB WB
        """;

    internal static readonly MemoryType[] RangeTypes =
    [
        MemoryType.Uncacheable, MemoryType.WriteCombining, MemoryType.WriteThrough, MemoryType.WriteProtected, MemoryType.WriteBack,
    ];

    internal static readonly MemoryType[] AttributeTypes = [.. RangeTypes, MemoryType.UncacheableMinus];

    /// <summary>A table as a look-up by its first two columns.</summary>
    internal static Dictionary<(MemoryType, MemoryType), MemoryType> Read(string table)
        => table.Split(',').Select(row => row.Split([' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries))
            .ToDictionary(row => (Parse(row[0]), Parse(row[1])), row => Parse(row[2]));

    internal static MemoryType Parse(string name) => name switch
    {
        "UC" => MemoryType.Uncacheable,
        "UC-" => MemoryType.UncacheableMinus,
        "WC" => MemoryType.WriteCombining,
        "WC+" => MemoryType.WriteCombiningPlus,
        "WT" => MemoryType.WriteThrough,
        "WP" => MemoryType.WriteProtected,
        "WB" => MemoryType.WriteBack,
        "CD" => MemoryType.CacheDisabled,
        _ => throw new FormatException(name),
    };
}
