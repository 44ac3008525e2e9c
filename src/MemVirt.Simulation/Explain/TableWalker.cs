using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;
using MemVirt.Simulation.Engine;
using MemVirt.Simulation.Results;

namespace MemVirt.Simulation.Explain;

/// <summary>How entries and accesses are judged in a walk; null for what the comparison's model uses.</summary>
internal sealed record WalkRules(GuestRules? Tables = null, SecondStageRules? SecondStage = null);

/// <summary>A hardware walk of a regime's tables with a reader of one's own, with or without a machine's walk caches.</summary>
internal abstract class TableWalker
{
    internal abstract Translation Walk(ulong root, ulong address, AccessRights needed);

    /// <summary>A walker of a regime's tables.</summary>
    /// <param name="regime">The regime.</param>
    /// <param name="tables">Its tables.</param>
    /// <param name="rules">How they are judged.</param>
    /// <param name="reader">Reads entries.</param>
    /// <param name="hardware">Whose walk caches serve; null for none.</param>
    internal static TableWalker Create<TReader>(
        Regime regime, RegimeTables tables, WalkRules rules, TReader reader, RegimeHardware? hardware)
        where TReader : struct, ITableReader
    {
        uint context = ((hardware?.VirtualProcessor ?? 0) << RegimeSimulation.PcidBits) | 1;
        return regime switch
        {
            Regime.Native => Over<IdentityStage>(default, TableKind.Guest),
            Regime.Shadow => Over<IdentityStage>(default, TableKind.Shadow),
            Regime.Ept => Over<NestedStage<EptFormat, TReader>>(StageOf<EptFormat>(), TableKind.Guest),
            _ => Over<NestedStage<NptFormat, TReader>>(StageOf<NptFormat>(), TableKind.Guest),
        };

        NestedStage<TFormat, TReader> StageOf<TFormat>()
            where TFormat : struct, IPageTableFormat
            => new(reader, tables.SecondStageRoot, RegimeFactory.SecondStageContext, hardware?.NestedTlb, hardware?.NestedCaches, rules.SecondStage);

        TableWalker Over<TStage>(TStage stage, TableKind kind)
            where TStage : struct, ISecondStage
            => new StagedWalker<TStage, TReader>(
                new TwoStageSource<X64FourLevel, TStage, TReader>(stage, reader, kind, hardware?.WalkCaches, rules.Tables) { Context = context });
    }

    private sealed class StagedWalker<TStage, TReader>(TwoStageSource<X64FourLevel, TStage, TReader> source) : TableWalker
        where TStage : struct, ISecondStage
        where TReader : struct, ITableReader
    {
        private TwoStageSource<X64FourLevel, TStage, TReader> _source = source;

        internal override Translation Walk(ulong root, ulong address, AccessRights needed)
        {
            _source.Root = root;
            return _source.Translate(address, needed);
        }
    }
}
