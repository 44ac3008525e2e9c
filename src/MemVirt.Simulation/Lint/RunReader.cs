using System.Globalization;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Invalidation;

namespace MemVirt.Simulation.Lint;

/// <summary>Reads a recorded run, one event a line, into a linter. The format is described in docs/lint.md.</summary>
public sealed class RunReader
{
    private const string Header = "memvirt-run 1";
    private const ushort MaxPcid = PagingContext.MaxProcessContext;
    private readonly string _name;
    private readonly bool _strict;
    private RunLinter? _linter;
    private int _levels = 4;
    private bool _globalPages = true;
    private ushort _virtualProcessor;
    private ushort _processContext;
    private long _line;

    private RunReader(string name, bool strict) => (_name, _strict) = (name, strict);

    private RunLinter Linter => _linter ??= new RunLinter(_levels, _globalPages, _strict);

    /// <summary>Reads a run to its end and returns the linter with what it found.</summary>
    /// <param name="reader">The text.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="strict">See <see cref="RunLinter"/>.</param>
    /// <param name="cancellation">Stops the reading.</param>
    /// <exception cref="LintException">A line is malformed; the message has file and line.</exception>
    public static RunLinter Read(TextReader reader, string name, bool strict, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(reader);
        var run = new RunReader(name, strict);
        bool hasHeader = false;
        while (reader.ReadLine() is { } text)
        {
            run._line++;
            cancellation.ThrowIfCancellationRequested();
            int comment = text.IndexOf('#', StringComparison.Ordinal);
            string[] words = (comment < 0 ? text : text[..comment]).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 0)
            {
                continue;
            }

            if (!hasHeader)
            {
                hasHeader = string.Join(' ', words) == Header ? true : throw run.Bad($"a run begins with the line '{Header}'");
                continue;
            }

            run.Event(words);
        }

        return hasHeader ? run.Linter : throw run.Bad($"the run is empty; it begins with the line '{Header}'");
    }

    private void Event(string[] words)
    {
        switch (words[0])
        {
            case "levels" or "global":
                Option(words);
                break;
            case "write":
                Expect(words, 2, "write ADDRESS VALUE");
                Linter.Write(_line, Aligned(Number(words[1])), Number(words[2]));
                break;
            case "switch":
                Expect(words, 3, "switch VPID PCID ROOT");
                Switch(Small(words[1], ushort.MaxValue, "VPID"), Small(words[2], MaxPcid, "PCID"), Number(words[3]), flush: false);
                break;
            case "mov-cr3":
                Expect(words, 2, "mov-cr3 PCID ROOT");
                Switch(_virtualProcessor, Small(words[1], MaxPcid, "PCID"), Number(words[2]), flush: true);
                break;
            case "access":
                Expect(words, 3, "access r|w|x u|s ADDRESS");
                Linter.Access(_line, Canonical(words[3]).Value, Kind(words[1]), IsUser(words[2]));
                break;
            default:
                Linter.Invalidate(Invalidation(words));
                break;
        }
    }

    private void Option(string[] words)
    {
        Expect(words, 1, words[0] == "levels" ? "levels 4|5" : "global on|off");
        if (_linter is not null)
        {
            throw Bad($"'{words[0]}' stands before the first event");
        }

        switch (words[0], words[1])
        {
            case ("levels", "4" or "5"):
                _levels = words[1][0] - '0';
                break;
            case ("global", "on" or "off"):
                _globalPages = words[1] == "on";
                break;
            default:
                throw Bad($"'{words[1]}' is no value of '{words[0]}': {(words[0] == "levels" ? "4 or 5" : "on or off")}");
        }
    }

    private void Switch(ushort virtualProcessor, ushort processContext, ulong root, bool flush)
    {
        if ((root & 0xFFF) != 0 || root >> 52 != 0)
        {
            throw Bad($"the root 0x{root:x} is not the address of a table: bits 11:0 and 63:52 must be 0");
        }

        (_virtualProcessor, _processContext) = (virtualProcessor, processContext);
        Linter.SwitchTo(_line, virtualProcessor, processContext, root);
        if (flush)
        {
            Linter.Invalidate(TlbInvalidation.InvpcidContext(virtualProcessor, processContext));
        }
    }

    private TlbInvalidation Invalidation(string[] words)
    {
        switch (words[0])
        {
            case "invlpg":
                Expect(words, 1, "invlpg ADDRESS");
                return TlbInvalidation.Invlpg(_virtualProcessor, _processContext, Canonical(words[1]));
            case "invpcid":
                return Invpcid(words);
            case "invvpid":
                return Invvpid(words);
            case "invept":
                Expect(words, 1, "invept 1|2");
                return words[1] is "1" or "2" ? TlbInvalidation.InveptAll() : throw Bad($"INVEPT type '{words[1]}' is not 1 or 2");
            case "flush-all":
                Expect(words, 0, "flush-all");
                return TlbInvalidation.InvpcidAll(_virtualProcessor);
            default:
                throw Bad($"there is no event '{words[0]}'; the events are write, switch, mov-cr3, access, invlpg, invpcid, invvpid, "
                          + "invept and flush-all");
        }
    }

    private TlbInvalidation Invpcid(string[] words)
    {
        Expect(words, words is [_, "2" or "3"] ? 1 : 3, "invpcid 0|1 PCID ADDRESS, or invpcid 2|3");
        return words[1] switch
        {
            "0" => TlbInvalidation.InvpcidAddress(_virtualProcessor, Small(words[2], MaxPcid, "PCID"), Canonical(words[3])),
            "1" => TlbInvalidation.InvpcidContext(_virtualProcessor, Small(words[2], MaxPcid, "PCID")),
            "2" => TlbInvalidation.InvpcidAll(_virtualProcessor),
            "3" => TlbInvalidation.InvpcidAllButGlobals(_virtualProcessor),
            _ => throw Bad($"INVPCID type '{words[1]}' is not 0 to 3"),
        };
    }

    private TlbInvalidation Invvpid(string[] words)
    {
        Expect(words, words is [_, "2"] ? 1 : 3, "invvpid 0|1|3 VPID ADDRESS, or invvpid 2");
        return words[1] switch
        {
            "0" => TlbInvalidation.InvvpidAddress(Small(words[2], ushort.MaxValue, "VPID"), Canonical(words[3])),
            "1" => TlbInvalidation.InvvpidContext(Small(words[2], ushort.MaxValue, "VPID")),
            "2" => TlbInvalidation.InvvpidAll(),
            "3" => TlbInvalidation.InvvpidContextButGlobals(Small(words[2], ushort.MaxValue, "VPID")),
            _ => throw Bad($"INVVPID type '{words[1]}' is not 0 to 3"),
        };
    }

    private void Expect(string[] words, int arguments, string form)
    {
        if (words.Length != arguments + 1)
        {
            throw Bad($"'{string.Join(' ', words)}' has {words.Length - 1} arguments; the form is '{form}'");
        }
    }

    private ulong Number(string text)
    {
        bool isHex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        bool isNumber = isHex
            ? ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value)
            : ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        return isNumber ? value : throw Bad($"'{text}' is no number of 64 bits: write decimal digits, or 0x and hexadecimal ones");
    }

    private ushort Small(string text, ushort limit, string name)
    {
        ulong value = Number(text);
        return value <= limit ? (ushort)value : throw Bad($"{name} {value} is above {limit}");
    }

    private ulong Aligned(ulong address)
        => (address & 7) == 0 ? address : throw Bad($"the entry's address 0x{address:x} is not a multiple of 8");

    private GuestVirtualAddress Canonical(string text)
    {
        ulong value = Number(text);
        int bits = _levels == 5 ? GuestVirtualAddress.FiveLevelBits : GuestVirtualAddress.FourLevelBits;
        return GuestVirtualAddress.IsCanonical(value, bits)
            ? GuestVirtualAddress.Create(value)
            : throw Bad($"0x{value:x} is not canonical with {_levels} levels: bits 63:{bits - 1} must be equal");
    }

    private MemoryAccess Kind(string text) => text switch
    {
        "r" => MemoryAccess.Read,
        "w" => MemoryAccess.Write,
        "x" => MemoryAccess.Fetch,
        _ => throw Bad($"'{text}' is no kind of access: r, w or x"),
    };

    private bool IsUser(string text) => text switch
    {
        "u" => true,
        "s" => false,
        _ => throw Bad($"'{text}' is no mode: u (user) or s (supervisor)"),
    };

    private LintException Bad(string what) => new($"{_name}:{Math.Max(_line, 1)}: {what}");
}
