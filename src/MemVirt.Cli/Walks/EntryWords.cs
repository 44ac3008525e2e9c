using MemVirt.Core.MemoryTypes;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Results;

namespace MemVirt.Cli.Walks;

/// <summary>
/// An entry's bits by the manuals' letters and in words: paging and nested paging by Intel SDM Vol. 3A §4.5.4 and AMD APM Vol. 2 §5.4,
/// EPT by Intel SDM Vol. 3C §28.3.2.
/// </summary>
internal static class EntryWords
{
    private const int KeyShift = 59;

    /// <summary>Bits of the host's physical addresses here.</summary>
    private const int HostAddressBits = 46;

    /// <summary>Whether an entry of a table refers to a page rather than a table.</summary>
    internal static bool IsLeaf(ulong entry, int level) => level == 0 || (Has(entry, 7) && level < 3);

    /// <summary>Whether the entry refers to anything.</summary>
    internal static bool IsPresent(Regime regime, TableKind kind, ulong entry)
        => IsEpt(regime, kind) ? (entry & 7) != 0 : Has(entry, 0);

    /// <summary>The bits that are set, by letter, with a dash for each of the first few that is not.</summary>
    internal static string Letters(Regime regime, TableKind kind, ulong entry, int level)
        => IsPresent(regime, kind, entry)
            ? string.Join(' ', Bits(regime, kind, entry, level).Select(bit => bit.Letter).Where(letter => letter.Length > 0))
            : "not present";

    /// <summary>The same in words.</summary>
    internal static IReadOnlyList<string> Words(Regime regime, TableKind kind, ulong entry, int level)
        => IsPresent(regime, kind, entry) ? [.. Bits(regime, kind, entry, level).Select(bit => bit.Words)] : ["not present"];

    /// <summary>Accessed and dirty bits, by letter.</summary>
    internal static IReadOnlyList<string> Flags(Regime regime, TableKind kind, ulong flags)
    {
        int accessed = IsEpt(regime, kind) ? 8 : 5;
        var letters = new List<string>();
        if (Has(flags, accessed))
        {
            letters.Add("A");
        }

        if (Has(flags, accessed + 1))
        {
            letters.Add("D");
        }

        return letters;
    }

    private static bool IsEpt(Regime regime, TableKind kind) => regime == Regime.Ept && kind == TableKind.SecondStage;

    /// <summary>Letters and words, a dash for a letter of which its words say the contrary.</summary>
    internal static IEnumerable<(string Letter, string Words)> Bits(Regime regime, TableKind kind, ulong entry, int level)
        => IsEpt(regime, kind) ? OfEpt(entry, level) : OfPaging(entry, level);

    private static IEnumerable<(string Letter, string Words)> OfPaging(ulong entry, int level)
    {
        bool isLeaf = IsLeaf(entry, level);
        yield return ("P", "present");
        yield return Has(entry, 1) ? ("W", "writable") : ("-", "read-only");
        yield return Has(entry, 2) ? ("U", "user") : ("-", "supervisor");
        yield return Has(entry, 5) ? ("A", "accessed") : ("-", "not accessed");
        if (isLeaf)
        {
            yield return Has(entry, 6) ? ("D", "dirty") : ("-", "not dirty");
        }

        if (Has(entry, 7) && level > 0)
        {
            yield return isLeaf ? ("PS", $"page of {(level == 1 ? "2 MiB" : "1 GiB")}") : ("PS", "bit 7, reserved here");
        }

        if (isLeaf && Has(entry, 8))
        {
            yield return ("G", "global");
        }

        if (isLeaf && Has(entry, level == 0 ? 7 : 12))
        {
            yield return ("PAT", "PAT, upper half of the PAT's types");
        }

        if (Has(entry, 4))
        {
            yield return ("PCD", "cache disable");
        }

        if (Has(entry, 3))
        {
            yield return ("PWT", "write-through");
        }

        if (isLeaf && (entry >> KeyShift & 15) != 0)
        {
            yield return ($"key {entry >> KeyShift & 15}", $"protection key {entry >> KeyShift & 15}");
        }

        if (Has(entry, 63))
        {
            yield return ("XD", "execute disable");
        }

        if (!isLeaf && level == 3 && Has(entry, 8))
        {
            yield return ("b8", "bit 8, reserved here by AMD");
        }

        foreach ((string, string) bit in Beyond(entry, isLeaf ? level : 0, lowest: 13))
        {
            yield return bit;
        }
    }

    private static IEnumerable<(string Letter, string Words)> OfEpt(ulong entry, int level)
    {
        bool isLeaf = IsLeaf(entry, level);
        yield return Has(entry, 0) ? ("R", "readable") : ("-", "not readable");
        yield return Has(entry, 1) ? ("W", "writable") : ("-", "not writable");
        yield return Has(entry, 2) ? ("X", "executable") : ("-", "not executable");
        yield return Has(entry, 8) ? ("A", "accessed") : ("-", "not accessed");
        if (isLeaf)
        {
            yield return Has(entry, 9) ? ("D", "dirty") : ("-", "not dirty");
            string type = TypeName((int)(entry >> 3) & 7);
            yield return (type, $"memory type {TypeWords((int)(entry >> 3) & 7)}");
            if (Has(entry, 6))
            {
                yield return ("IPAT", "the guest's PAT is ignored");
            }
        }
        else if ((entry >> 3 & 15) != 0)
        {
            yield return ("b6:3", "bits 6:3, reserved here");
        }

        if (Has(entry, 7) && level > 0)
        {
            yield return isLeaf ? ("PS", $"page of {(level == 1 ? "2 MiB" : "1 GiB")}") : ("PS", "bit 7, reserved here");
        }

        if (Has(entry, 10))
        {
            yield return ("UX", "executable at user-mode addresses");
        }

        if (Has(entry, 63))
        {
            yield return ("SVE", "suppress #VE");
        }

        foreach ((string, string) bit in Beyond(entry, isLeaf ? level : 0, lowest: 12))
        {
            yield return bit;
        }
    }

    /// <summary>Bits of the address that no page or table here can have: below the page's size, and from 2^46 on.</summary>
    private static IEnumerable<(string Letter, string Words)> Beyond(ulong entry, int level, int lowest)
        => Enumerable.Range(lowest, 12 + (9 * level) > lowest ? 12 + (9 * level) - lowest : 0).Concat(Enumerable.Range(HostAddressBits, 52 - HostAddressBits))
            .Where(bit => Has(entry, bit)).Select(bit => ($"b{bit}", $"address bit {bit}"));

    private static string TypeName(int type) => (MemoryType)type switch
    {
        MemoryType.Uncacheable => "UC",
        MemoryType.WriteCombining => "WC",
        MemoryType.WriteThrough => "WT",
        MemoryType.WriteProtected => "WP",
        MemoryType.WriteBack => "WB",
        _ => $"type {type}",
    };

    private static string TypeWords(int type) => (MemoryType)type switch
    {
        MemoryType.Uncacheable => "uncacheable",
        MemoryType.WriteCombining => "write-combining",
        MemoryType.WriteThrough => "write-through",
        MemoryType.WriteProtected => "write-protected",
        MemoryType.WriteBack => "write-back",
        _ => $"{type}, reserved",
    };

    private static bool Has(ulong entry, int bit) => (entry >> bit & 1) != 0;
}
