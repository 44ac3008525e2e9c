using MemVirt.Core.Access;
using MemVirt.Core.Registers;
using MemVirt.Native.Guests;
using MemVirt.Native.Kvm;
using MemVirt.Native.Probes;

namespace MemVirt.Native.SelfTests;

/// <summary>Tries out what the probes rely on, each step under a time limit, and finds what must be left out. Assumes nothing.</summary>
internal sealed class KvmSelfTest(ProbeRunner runner, TimeSpan limit)
{
    private const ulong PlainAddress = 0x0000_1234_5600_0100;
    private readonly List<SelfTestStep> _steps = [];
    private ProbeMasks _masks = new();

    internal static SelfTestResult Run(ProbeRunner runner, TimeSpan limit)
    {
        var test = new KvmSelfTest(runner, limit);
        test.TryAccesses();
        if (test._steps.All(step => step.Outcome != SelfTestOutcome.Failed))
        {
            test.TryFaults();
            test.TryRootIndices();
            test.TryLargePages();
            test.TryPrevention();
            test.TryRegisters();
            test.TryStaleness();
            test.TryWatchdog();
        }

        return new SelfTestResult(test._steps, test._masks);
    }

    private static Probe Plain(MemoryAccess access, byte privilegeLevel, ulong cr4 = 0, bool alignmentCheck = false)
    {
        PagingRegisters registers = Guest.LongMode;
        registers.Cr4 |= cr4;
        registers.CurrentPrivilegeLevel = privilegeLevel;
        registers.AlignmentCheck = alignmentCheck;
        var probe = new Probe { Registers = registers, Access = access, BaseAddress = PlainAddress };
        for (int level = 0; level < EntryBits.Levels; level++)
        {
            probe.Entries[level] = Probe.Plain;
        }

        return probe;
    }

    private void Add(string name, SelfTestOutcome outcome, string detail = "") => _steps.Add(new SelfTestStep(name, outcome, detail));

    /// <summary>The guest enters both modes, runs the stubs and reports through its handlers.</summary>
    private void TryAccesses()
    {
        foreach ((byte privilegeLevel, string mode) in (ReadOnlySpan<(byte, string)>)[(3, "user"), (0, "supervisor")])
        {
            foreach (MemoryAccess access in (ReadOnlySpan<MemoryAccess>)[MemoryAccess.Read, MemoryAccess.Write, MemoryAccess.Fetch])
            {
                GuestReport report = runner.Run(Plain(access, privilegeLevel)).Observed;
                string name = $"{mode} {access.ToString().ToLowerInvariant()}";
                Add(name, report.Succeeded ? SelfTestOutcome.Works : SelfTestOutcome.Failed, report.Succeeded ? "" : report.ToString());
            }
        }
    }

    private void TryFaults()
    {
        Probe probe = Plain(MemoryAccess.Read, 3);
        probe.Entries[0] = 0;
        Compare("fault on an entry that is not present", in probe);
        probe = Plain(MemoryAccess.Fetch, 3);
        probe.Entries[0] |= Probe.ExecuteDisable;
        Compare("fault on a fetch that NX forbids", in probe);
        probe = Plain(MemoryAccess.Read, 3);
        probe.Entries[3] |= Probe.PageSize;
        Compare("fault on a reserved bit", in probe);
    }

    private void TryLargePages()
    {
        Probe probe = Plain(MemoryAccess.Write, 3);
        probe.Entries[1] |= Probe.PageSize;
        Compare("2 MiB pages", in probe);
        probe = Plain(MemoryAccess.Write, 3);
        probe.Entries[2] |= Probe.PageSize;
        ProbeOutcome outcome = runner.Run(in probe);
        if (!runner.Guest.Features.Pages1G)
        {
            Add("1 GiB pages", SelfTestOutcome.Noted, $"not offered by CPUID; PS in a PDPTE: {outcome.Observed}");
        }
        else if (outcome.Agrees)
        {
            Add("1 GiB pages", SelfTestOutcome.Works);
        }
        else
        {
            _masks = _masks with { Pages1G = true };
            Add("1 GiB pages", SelfTestOutcome.Masked, $"offered by CPUID, but {outcome.Observed}; no PDPTE has PS");
        }
    }

    /// <summary>SMEP and SMAP, which a host may take without offering them, and whether SMAP keeps to data.</summary>
    private void TryPrevention()
    {
        ProcessorFeatures features = runner.Guest.Features;
        bool smep = TryPrevention(
            "SMEP forbids a supervisor fetch from a user page", Plain(MemoryAccess.Fetch, 0, Cr4.SupervisorExecutionPrevention),
            Cr4.SupervisorExecutionPrevention, features.SupervisorExecutionPrevention);
        bool smap = TryPrevention(
            "SMAP forbids a supervisor read of a user page", Plain(MemoryAccess.Read, 0, Cr4.SupervisorAccessPrevention),
            Cr4.SupervisorAccessPrevention, features.SupervisorAccessPrevention);
        _masks = _masks with { Smep = !smep, Smap = !smap };
        if (!smap)
        {
            return;
        }

        Compare(
            "SMAP lets it pass with EFLAGS.AC", Plain(MemoryAccess.Read, 0, Cr4.SupervisorAccessPrevention, alignmentCheck: true));
        ProbeOutcome fetch = runner.Run(Plain(MemoryAccess.Fetch, 0, Cr4.SupervisorAccessPrevention));
        _masks = _masks with { SmapForbidsFetch = !fetch.Agrees };
        Add(
            "SMAP lets a supervisor fetch from a user page pass",
            fetch.Agrees ? SelfTestOutcome.Works : SelfTestOutcome.Masked,
            fetch.Agrees ? "" : $"{fetch.Observed}; no such fetch with AC clear");
    }

    /// <summary>False where the feature is to be left out: the host refuses the bit, or does not offer it and does not do it either.</summary>
    private bool TryPrevention(string name, in Probe probe, ulong cr4Bit, bool isOffered)
    {
        if (!Accepts(cr4Bit))
        {
            Add(name, SelfTestOutcome.Masked, "CR4 refuses the bit; it stays clear");
            return false;
        }

        ProbeOutcome outcome = runner.Run(in probe);
        if (outcome.Agrees)
        {
            Add(name, SelfTestOutcome.Works, isOffered ? "" : "though CPUID does not offer it");
            return true;
        }

        Add(
            name, isOffered ? SelfTestOutcome.Differs : SelfTestOutcome.Masked,
            isOffered ? outcome.Observed.ToString() : "CPUID does not offer it; the bit stays clear");
        return isOffered;
    }

    /// <summary>A host may keep a part of the linear addresses for itself; every entry of a PML4 is tried in both modes.</summary>
    private void TryRootIndices()
    {
        var failing = new SortedSet<int>();
        for (int index = 1; index < 512; index++)
        {
            Probe probe = Plain(MemoryAccess.Read, 3);
            probe.BaseAddress = (ulong)((long)((ulong)index << 55) >> 16) | (PlainAddress & 0x7F_FFFF_FFFF);
            bool user = runner.Run(in probe).Agrees;
            probe.Registers.CurrentPrivilegeLevel = 0;
            if (!user || !runner.Run(in probe).Agrees)
            {
                failing.Add(index);
            }
        }

        _masks = _masks with { RootIndices = failing };
        Add(
            "every PML4 index", failing.Count == 0 ? SelfTestOutcome.Works : SelfTestOutcome.Masked,
            failing.Count == 0 ? "" : $"pages cannot be accessed under {string.Join(", ", failing)}; not used");
    }

    private void TryRegisters()
    {
        foreach ((ulong bit, string name) in (ReadOnlySpan<(ulong, string)>)
            [(Cr4.ProcessContextEnable, "PCID"), (Cr4.ProtectionKeysUser, "PKU"), (Cr4.LinearAddress57, "LA57")])
        {
            Add($"CR4 takes {name}", SelfTestOutcome.Noted, Accepts(bit) ? "accepted; not probed" : "refused; not probed");
        }
    }

    /// <summary>Whether an entry that the host changes is seen by the guest at once. Probes do not rely on it.</summary>
    private void TryStaleness()
    {
        Probe probe = Plain(MemoryAccess.Read, 3);
        ProbeOutcome before = runner.Run(in probe);
        runner.Guest.Machine.Word(before.Tables.EntryAddress(0)) = 0;
        GuestReport after = runner.Guest.Access(
            probe.Registers with { Cr3 = before.Tables.Root }, MemoryAccess.Read, before.Tables.Address, limit);
        Add(
            "a live entry that the host changes", SelfTestOutcome.Noted,
            (after.Faulted ? "seen at once" : "the guest goes on with the old one") + "; every probe has fresh tables");
    }

    /// <summary>A guest that never exits must be got back from.</summary>
    private void TryWatchdog()
    {
        KvmExit exit = runner.Guest.Spin(TimeSpan.FromMilliseconds(50));
        bool stopped = exit == KvmExit.TimedOut && runner.Run(Plain(MemoryAccess.Read, 3)).Observed.Succeeded;
        Add(
            "a guest that spins is stopped and goes on", stopped ? SelfTestOutcome.Works : SelfTestOutcome.Failed,
            stopped ? "" : $"it ended with {exit}");
    }

    private void Compare(string name, in Probe probe)
    {
        ProbeOutcome outcome = runner.Run(in probe);
        if (outcome.Agrees)
        {
            Add(name, SelfTestOutcome.Works);
        }
        else
        {
            Add(name, SelfTestOutcome.Differs, $"{outcome.Observed}, where the engine says {outcome.Expected}");
        }
    }

    private bool Accepts(ulong cr4Bit)
    {
        KvmSystemRegisters registers = default;
        runner.Guest.Machine.Processor.Control(KvmRequests.GetSystemRegisters, "KVM_GET_SREGS", ref registers);
        KvmSystemRegisters with = registers;
        with.Cr4 |= cr4Bit;
        bool accepted = runner.Guest.Machine.Processor.TryControl(KvmRequests.SetSystemRegisters, ref with) >= 0;
        runner.Guest.Machine.Processor.Control(KvmRequests.SetSystemRegisters, "KVM_SET_SREGS", ref registers);
        return accepted;
    }
}
