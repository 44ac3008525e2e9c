using MemVirt.Core.Faults;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Native.Probes;

/// <summary>What the engine says of a probe.</summary>
internal readonly record struct ProbeExpectation(TranslationStatus Status, uint ErrorCode)
{
    internal bool Succeeds => Status == TranslationStatus.Ok;

    public override string ToString() => Succeeds ? "succeeded" : $"#PF error 0x{ErrorCode:x} ({Status})";
}

/// <summary>The engine in the guest's place: the same entries at the same addresses, no second stage, no cache.</summary>
internal sealed class ProbeModel : IDisposable
{
    private readonly SparseMemory _memory = new();
    private readonly GuestRules _rules;
    private PagingSource<IdentityStage, HostTableReader> _source;

    internal ProbeModel(ProcessorFeatures features)
    {
        _rules = new GuestRules(features, Guests.Guest.LongMode);
        _source = new PagingSource<IdentityStage, HostTableReader>(default, new HostTableReader(_memory), _rules);
    }

    /// <summary>Translates the probe's access; <paramref name="after"/> are the entries as the walk leaves them.</summary>
    internal ProbeExpectation Expect(in Probe probe, in ProbeTables tables, out EntryBits after)
    {
        for (int level = 0; level < EntryBits.Levels; level++)
        {
            _memory.Write(tables.EntryAddress(level), tables.Entry(in probe, level));
        }

        _rules.Update(probe.Registers);
        _source.Cr3 = tables.Root;
        Translation translation = _source.Translate(tables.Address, probe.Needed);
        after = default;
        for (int level = 0; level < EntryBits.Levels; level++)
        {
            after[level] = _memory.Read(tables.EntryAddress(level));
        }

        return new ProbeExpectation(translation.Status, (uint)translation.FaultCode);
    }

    public void Dispose() => _memory.Dispose();
}
