using System.Globalization;
using MemVirt.Core.Addresses;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Commands;

/// <summary>Reads the texts of options; what is wrong comes out as a usage error that says what to write.</summary>
internal static class OptionText
{
    private static readonly Dictionary<string, Regime> KnownRegimes = new(StringComparer.Ordinal)
    {
        ["native"] = Regime.Native,
        ["shadow"] = Regime.Shadow,
        ["ept"] = Regime.Ept,
        ["npt"] = Regime.Npt,
    };

    /// <summary>A whole number of digits and underscores, at least <paramref name="minimum"/>; null where it isn't given.</summary>
    public static long? Count(string option, string? text, long minimum)
    {
        if (text is null)
        {
            return null;
        }

        string digits = text.Replace("_", "", StringComparison.Ordinal);
        return long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long count) && count >= minimum
            ? count
            : throw CommandException.Usage($"{option} {text}: write a whole number of at least {minimum}, for example 2_000_000");
    }

    public static PageSize Pages(string option, string? text) => text switch
    {
        null or "4k" or "4K" => PageSize.Size4K,
        "2m" or "2M" => PageSize.Size2M,
        "1g" or "1G" => PageSize.Size1G,
        _ => throw CommandException.Usage($"{option} {text}: there is no such page size; write 4k, 2m or 1g"),
    };

    public static IReadOnlyList<Regime> Regimes(string? text)
    {
        var regimes = new List<Regime>();
        foreach (string name in (text ?? "native,shadow,ept,npt").Split(',', StringSplitOptions.TrimEntries))
        {
            if (!KnownRegimes.TryGetValue(name.ToLowerInvariant(), out Regime regime))
            {
                throw CommandException.Usage($"--regimes: unknown regime '{name}'; write some of native,shadow,ept,npt");
            }

            if (regimes.Contains(regime))
            {
                throw CommandException.Usage($"--regimes: '{name}' stands there twice; name each regime once");
            }

            regimes.Add(regime);
        }

        return regimes;
    }

    public static IReadOnlyList<MachineDescription> Machines(string? text) => MachineNames(text).Select(Machine).ToList();

    /// <summary>Names of presets and machine files, as they stand in a list.</summary>
    public static IReadOnlyList<string> MachineNames(string? text) => (text ?? "skylake").Split(',', StringSplitOptions.TrimEntries);

    /// <summary>All that a preset's or a machine's file says.</summary>
    public static ReadOnlyMemory<byte> MachineJson(string name)
        => MachinePresets.Names.Contains(name) ? MachinePresets.Json(name) : File.ReadAllBytes(name);

    /// <summary>A preset, or a machine file.</summary>
    public static MachineDescription Machine(string name)
    {
        if (MachinePresets.Names.Contains(name))
        {
            return MachinePresets.Load(name);
        }

        bool namesFile = name.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
            || name.Contains(Path.DirectorySeparatorChar) || File.Exists(name);
        return namesFile ? MachineFile.Load(name) : throw UnknownMachine(name);
    }

    public static CommandException UnknownMachine(string name) => CommandException.Usage(
        $"unknown machine '{name}'; write {string.Join(", ", MachinePresets.Names)}, or a machine file's name (FILE.json)");

    /// <summary>A guest-virtual address in hexadecimal, canonical in 48 bits.</summary>
    public static ulong Address(string option, string text)
    {
        string digits = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text[2..] : text;
        if (!ulong.TryParse(
            digits.Replace("_", "", StringComparison.Ordinal), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong address))
        {
            throw CommandException.Usage($"{option} {text}: write an address in hexadecimal, for example 0x7f5a_1234_5678");
        }

        return (ulong)((long)(address << 16) >> 16) == address
            ? address
            : throw CommandException.Usage($"{option} {text}: not canonical; bits 63 to 48 of an address repeat bit 47");
    }
}
