namespace MemVirt.Simulation.Machines;

/// <summary>Reads the prices of a machine file.</summary>
internal static class MachineFileCosts
{
    public static CostDescription Read(JsonField costs)
    {
        costs.Object("baseCpi", "overlap", "guestFaultCycles", "contextSwitchCycles", "exitCycles", "handlerCycles");
        return new CostDescription
        {
            BaseCpi = costs.Required("baseCpi", "the cycles of an instruction").Number(),
            Overlap = costs.Required("overlap", "the hidden part of data latency, from 0 to 1").Number(limit: 1),
            GuestFaultCycles = costs.Required("guestFaultCycles", "the cycles of the guest's page-fault handler").Number(),
            ContextSwitchCycles = costs.Required("contextSwitchCycles", "the cycles of the guest's context switch").Number(),
            ExitCycles = costs.Required("exitCycles", "the cycles of a VM exit and entry").Number(),
            HandlerCycles = Handlers(costs.Required("handlerCycles", "an object with the cycles of each kind of exit")),
        };
    }

    private static HandlerCycles Handlers(JsonField handlers)
    {
        handlers.Object(
            "guestPageFaults",
            "secondStageFaults",
            "shadowFaults",
            "dirtyFaults",
            "protectedTableWrites",
            "unsyncs",
            "contextSwitches");
        double Cycles(string kind) => handlers.Required(kind, "the cycles of the VMM's handler").Number();
        return new HandlerCycles
        {
            GuestPageFaults = Cycles("guestPageFaults"),
            SecondStageFaults = Cycles("secondStageFaults"),
            ShadowFaults = Cycles("shadowFaults"),
            DirtyFaults = Cycles("dirtyFaults"),
            ProtectedTableWrites = Cycles("protectedTableWrites"),
            Unsyncs = Cycles("unsyncs"),
            ContextSwitches = Cycles("contextSwitches"),
        };
    }
}
