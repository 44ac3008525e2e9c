using System.Globalization;
using MemVirt.Core.Addresses;
using MemVirt.Core.Registers;
using MemVirt.Simulation.Explain;

namespace MemVirt.Cli.Walks;

/// <summary>
/// Reads what <c>--set</c> and <c>--clear</c> name: <c>TABLE.ENTRY.FLAG</c>, of a second stage with <c>@TABLE</c> for the path to a
/// table of the guest's, or <c>REGISTER.FLAG</c>.
/// </summary>
internal static class EditText
{
    /// <summary>The bit that <c>reserved</c> means: the highest of an entry's address.</summary>
    private const int ReservedBit = 51;

    private const int AllRights = -7;
    private static readonly string[] EntryNames = ["pte", "pde", "pdpte", "pml4e"];
    private static readonly string[] TableNames = ["pt", "pd", "pdpt", "pml4"];

    private static readonly Dictionary<string, int> PagingFlags = new(StringComparer.Ordinal)
    {
        ["present"] = 0, ["write"] = 1, ["user"] = 2, ["pwt"] = 3, ["pcd"] = 4, ["accessed"] = 5, ["dirty"] = 6, ["ps"] = 7, ["pat"] = 7,
        ["global"] = 8, ["xd"] = 63, ["nx"] = 63, ["reserved"] = ReservedBit,
    };

    private static readonly Dictionary<string, int> EptFlags = new(StringComparer.Ordinal)
    {
        ["present"] = AllRights, ["read"] = 0, ["write"] = 1, ["execute"] = 2, ["ipat"] = 6, ["ps"] = 7, ["accessed"] = 8, ["dirty"] = 9,
        ["ux"] = 10, ["sve"] = 63, ["reserved"] = ReservedBit,
    };

    /// <summary>Reads all that is set and cleared.</summary>
    internal static (PagingRegisters Registers, IReadOnlyList<EntryEdit> Edits) Read(
        IReadOnlyList<(string Option, string Text)> changes, PagingRegisters registers, PageSize guestPages, PageSize hostPages, int addressBits)
    {
        var edits = new List<EntryEdit>();
        foreach ((string option, string text) in changes)
        {
            string name = text.ToLowerInvariant();
            string[] parts = name.Split('.');
            bool sets = option == "--set";
            if (parts.Length == 2)
            {
                registers = WithRegister(option, text, parts, registers, sets);
            }
            else
            {
                EntryEdit edit = Entry(option, text, parts, guestPages, hostPages, addressBits, sets);
                if (edits.Exists(other => other with { Sets = sets, Bits = 0 } == edit with { Bits = 0 } && other.Sets != sets && (other.Bits & edit.Bits) != 0))
                {
                    throw CommandException.Usage($"{option} {text}: the same bit is both set and cleared; keep one of the two");
                }

                edits.Add(edit);
            }
        }

        return (registers, edits);
    }

    private static PagingRegisters WithRegister(string option, string text, string[] parts, PagingRegisters registers, bool sets)
    {
        switch (parts[0], parts[1])
        {
            case ("cr0", "wp"):
                registers.Cr0 = With(registers.Cr0, Cr0.WriteProtect, sets);
                break;
            case ("cr4", "smep"):
                registers.Cr4 = With(registers.Cr4, Cr4.SupervisorExecutionPrevention, sets);
                break;
            case ("cr4", "smap"):
                registers.Cr4 = With(registers.Cr4, Cr4.SupervisorAccessPrevention, sets);
                break;
            case ("efer", "nxe"):
                registers.Efer = With(registers.Efer, Efer.NoExecuteEnable, sets);
                break;
            case ("eflags" or "rflags", "ac"):
                registers.AlignmentCheck = sets;
                break;
            default:
                throw CommandException.Usage($"{option} {text}: there is no such flag; write cr0.wp, cr4.smep, cr4.smap, efer.nxe, eflags.ac, "
                    + "or a flag of an entry such as guest.pte.write");
        }

        return registers;
    }

    private static EntryEdit Entry(string option, string text, string[] parts, PageSize guestPages, PageSize hostPages, int addressBits, bool sets)
    {
        EditedTable table = parts[0] switch
        {
            "guest" => EditedTable.Guest,
            "ept" => EditedTable.Ept,
            "npt" => EditedTable.Npt,
            "shadow" => throw CommandException.Usage($"{option} {text}: shadow tables follow the guest's; change those, for example guest.pte.write"),
            _ => throw CommandException.Usage($"{option} {text}: write TABLE.ENTRY.FLAG, for example guest.pte.present, ept.pte.write or npt.pde.user"),
        };
        if (parts.Length != 3)
        {
            throw CommandException.Usage($"{option} {text}: write TABLE.ENTRY.FLAG, for example guest.pte.present, ept.pte.write or npt.pde.user");
        }

        string[] flagAndPath = parts[2].Split('@');
        PageSize pages = table == EditedTable.Guest ? guestPages : hostPages;
        int level = parts[1] == "leaf" ? pages.LeafLevel() : Array.IndexOf(EntryNames, parts[1]);
        if (level < 0)
        {
            throw CommandException.Usage($"{option} {text}: there is no entry {parts[1]}; write pml4e, pdpte, pde, pte or leaf");
        }

        if (level < pages.LeafLevel())
        {
            throw CommandException.Usage($"{option} {text}: {parts[0]} walks of these pages end with a {EntryNames[pages.LeafLevel()]}; "
                + $"write {parts[0]}.{EntryNames[pages.LeafLevel()]} or {parts[0]}.leaf");
        }

        ulong bits = Bits(option, text, flagAndPath[0], table, level, addressBits);
        return new EntryEdit(table, level, Path(option, text, flagAndPath, table, guestPages), bits, sets);
    }

    private static ulong Bits(string option, string text, string flag, EditedTable table, int level, int addressBits)
    {
        Dictionary<string, int> flags = table == EditedTable.Ept ? EptFlags : PagingFlags;
        if (flag.StartsWith("bit", StringComparison.Ordinal)
            && int.TryParse(flag.AsSpan(3), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number < 64)
        {
            return 1UL << number;
        }

        if (!flags.TryGetValue(flag, out int bit))
        {
            throw CommandException.Usage($"{option} {text}: there is no flag {flag}; write {string.Join(", ", flags.Keys)} or bit0 to bit63");
        }

        if (bit == ReservedBit && addressBits > ReservedBit)
        {
            throw CommandException.Usage($"{option} {text}: with --physical-bits 52 no address bit is reserved; write fewer, or another bit");
        }

        return bit == AllRights ? 7 : flag == "pat" && level > 0 ? 1UL << 12 : 1UL << bit;
    }

    private static int Path(string option, string text, string[] flagAndPath, EditedTable table, PageSize guestPages)
    {
        if (flagAndPath.Length == 1)
        {
            return WalkReference.FinalAddress;
        }

        int level = Array.IndexOf(TableNames, flagAndPath[1]);
        return table != EditedTable.Guest && flagAndPath.Length == 2 && level >= guestPages.LeafLevel()
            ? level
            : throw CommandException.Usage($"{option} {text}: @ names a table of the guest's that a second stage maps; write "
                + $"{string.Join(", ", TableNames.Skip(guestPages.LeafLevel()).Reverse().Select(name => "@" + name))} behind a flag of ept or npt");
    }

    private static ulong With(ulong register, ulong bit, bool sets) => sets ? register | bit : register & ~bit;
}
