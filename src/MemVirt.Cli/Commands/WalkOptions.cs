using System.CommandLine;

namespace MemVirt.Cli.Commands;

/// <summary>The options of <c>memvirt walk</c>.</summary>
internal sealed class WalkOptions
{
    public Argument<string?> Trace { get; } = new("TRACE")
    {
        Arity = ArgumentArity.ZeroOrOne,
        Description = "A trace (lackey text, plain or compressed; .mvt; ChampSim). Without one, tables are made by options.",
    };

    public Option<string?> Reference { get; } = Text("--reference", "N", "Which reference of the trace, counted from 1 over fetches, loads and stores; "
        + "a lackey M is two, a load and a store.");

    public Option<string?> Gva { get; } = Text("--gva", "HEX", "The guest-virtual address (default: 0x7f5a12345678).");

    public Option<string?> Access { get; } = Text("--access", "KIND", "fetch, load or store (default: load).");

    public Option<bool> User { get; } = new("--user") { Description = "The access is made in user mode, CPL 3 (as it is by default)." };

    public Option<bool> Supervisor { get; } = new("--supervisor") { Description = "The access is made in supervisor mode." };

    public Option<string[]> Set { get; } = Several("--set", "Bits to set before the access: TABLE.ENTRY.FLAG with TABLE guest, ept or npt, ENTRY pml4e, "
        + "pdpte, pde, pte or leaf, FLAG such as present, write, user, xd, reserved or bit0 to bit63; of ept and npt the path to the "
        + "accessed page, with @pml4, @pdpt, @pd or @pt to that table of the guest's. Or cr4.smep, cr4.smap, eflags.ac. May be given again.");

    public Option<string[]> Clear { get; } = Several("--clear", "The same, to clear: guest.pte.present, ept.pte.write@pt, cr0.wp, efer.nxe.");

    public Option<string?> PhysicalBits { get; } = Text("--physical-bits", "N", "MAXPHYADDR of tables made by options, 32 to 52; address bits above are "
        + "reserved (default: 46).");

    public Option<string?> Regimes { get; } = Text("--regimes", "LIST", "Some of native,shadow,ept,npt (default: all).");

    public Option<string?> GuestPages { get; } = Text("--guest-pages", "SIZE", "The guest's page size: 4k, 2m or 1g (default: 4k).");

    public Option<string?> HostPages { get; } = Text("--host-pages", "SIZE", "The VMM's page size: 4k, 2m or 1g (default: 4k).");

    public Option<string?> Machine { get; } = Text("--machine", "NAME", "A preset or a machine file (default: skylake with a trace, else teaching).");

    public Option<string?> Json { get; } = Text("--json", "FILE|-", "Write the explanation as JSON to a file, or to standard output and nothing else there.");

    public Option<string?> Html { get; } = Text("--html", "FILE", "Write a page with the walk's grid to step through.");

    /// <summary>What has no meaning with a trace.</summary>
    public IEnumerable<Option> OfMadeTables => [Gva, Access, User, Supervisor, Set, Clear, PhysicalBits];

    public void AddTo(Command command)
    {
        command.Add(Trace);
        foreach (Option option in new Option[]
        {
            Reference, Gva, Access, User, Supervisor, Set, Clear, PhysicalBits, Regimes, GuestPages, HostPages, Machine, Json, Html,
        })
        {
            command.Add(option);
        }
    }

    private static Option<string?> Text(string name, string helpName, string description)
        => new(name) { HelpName = helpName, Description = description };

    private static Option<string[]> Several(string name, string description)
        => new(name) { HelpName = "WHAT[,...]", Description = description, Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };
}
