using MemVirt.Core.Addresses;
using MemVirt.Core.Registers;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.Walks;

/// <summary>A reference of a trace.</summary>
internal sealed record TracePlace(string Path, long Reference);

/// <summary>An access to tables made for it, and what is changed in them.</summary>
internal sealed record MadeAccess(
    ulong GuestVirtualAddress, ReferenceKind Access, PagingRegisters Registers, int PhysicalAddressBits, IReadOnlyList<EntryEdit> Edits,
    IReadOnlyList<string> Changes);

/// <summary>What a <c>memvirt walk</c> command line asks for, checked: a reference of a trace, or an access of its own.</summary>
internal sealed record WalkRequest(
    TracePlace? Trace,
    MadeAccess? Made,
    IReadOnlyList<Regime> Regimes,
    PageSize GuestPages,
    PageSize HostPages,
    MachineDescription Machine,
    string? JsonPath,
    string? HtmlPath,
    string CommandLine);
