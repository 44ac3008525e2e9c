using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace MemVirt.Analyzers;

/// <summary>
/// Finds values that are stored in a local and lost there: overwritten, or left, before anything reads them. It is the
/// textbook's liveness: from each block's end backwards, a read makes the local live, a write ends that.
/// </summary>
internal static class UnreadLocals
{
    internal static void Check(OperationBlockAnalysisContext context, MustUseTypes types)
    {
        foreach (IOperation block in context.OperationBlocks)
        {
            var locals = new HashSet<ILocalSymbol>(LocalsIn(block, types), SymbolEqualityComparer.Default);
            if (locals.Count != 0)
            {
                CheckGraph(context, types, context.GetControlFlowGraph(block), locals);
            }
        }
    }

    private static IEnumerable<ILocalSymbol> LocalsIn(IOperation block, MustUseTypes types)
        => block.DescendantsAndSelf()
            .Select(operation => operation switch
            {
                IVariableDeclaratorOperation declarator => declarator.Symbol,
                ILocalReferenceOperation reference => reference.Local,
                IDeclarationPatternOperation pattern => pattern.DeclaredSymbol as ILocalSymbol,
                _ => null,
            })
            .Where(local => local is { RefKind: RefKind.None } && types.Contains(local.Type))
            .Select(local => local!);

    private static void CheckGraph(
        OperationBlockAnalysisContext context, MustUseTypes types, ControlFlowGraph graph, HashSet<ILocalSymbol> locals)
    {
        // Nested functions have graphs of their own. A local they share with the function around them counts as read.
        foreach (IFlowAnonymousFunctionOperation function in Lambdas(graph))
        {
            CheckGraph(context, types, graph.GetAnonymousFunctionControlFlowGraph(function), locals);
        }

        foreach (IMethodSymbol function in graph.LocalFunctions)
        {
            CheckGraph(context, types, graph.GetLocalFunctionControlFlowGraph(function), locals);
        }

        var events = graph.Blocks.Select(block => LocalEvents.Of(block, locals)).ToArray();
        HashSet<ILocalSymbol>[] liveAtEnd = Solve(graph, events);
        for (int index = 0; index < events.Length; index++)
        {
            var live = new HashSet<ILocalSymbol>(liveAtEnd[index], SymbolEqualityComparer.Default);
            foreach (LocalEvent one in Enumerable.Reverse(events[index]))
            {
                if (one.IsRead)
                {
                    live.Add(one.Local);
                }
                else if (!live.Remove(one.Local) && one.CanLose && !IsShared(one.Local, graph))
                {
                    context.ReportDiagnostic(types.Report(one.Syntax, one.Local.Type, $"nobody reads '{one.Local.Name}' after this"));
                }
            }
        }
    }

    private static HashSet<ILocalSymbol>[] Solve(ControlFlowGraph graph, List<LocalEvent>[] events)
    {
        var atEnd = graph.Blocks.Select(_ => new HashSet<ILocalSymbol>(SymbolEqualityComparer.Default)).ToArray();
        bool changed = true;
        while (changed)
        {
            changed = false;
            for (int index = graph.Blocks.Length - 1; index >= 0; index--)
            {
                var atStart = new HashSet<ILocalSymbol>(atEnd[index], SymbolEqualityComparer.Default);
                foreach (LocalEvent one in Enumerable.Reverse(events[index]))
                {
                    _ = one.IsRead ? atStart.Add(one.Local) : atStart.Remove(one.Local);
                }

                foreach (ControlFlowBranch branch in graph.Blocks[index].Predecessors)
                {
                    int size = atEnd[branch.Source.Ordinal].Count;
                    atEnd[branch.Source.Ordinal].UnionWith(atStart);
                    changed |= atEnd[branch.Source.Ordinal].Count != size;
                }
            }
        }

        return atEnd;
    }

    /// <summary>
    /// Whether the local belongs to a function around this graph's, is used by one within it, or may be read by a handler to
    /// which
    /// no branch of the graph leads.
    /// </summary>
    private static bool IsShared(ILocalSymbol local, ControlFlowGraph graph)
        => !Regions(graph.Root).Any(region => region.Locals.Contains(local))
           || graph.LocalFunctions.Any(function => Mentions(graph.GetLocalFunctionControlFlowGraph(function), local))
           || Lambdas(graph)
               .Any(function => Mentions(graph.GetAnonymousFunctionControlFlowGraph(function), local))
           || graph.Blocks.Any(block => IsInHandler(block) && Operations(block).Any(one => Reads(one, local)));

    private static bool Mentions(ControlFlowGraph graph, ILocalSymbol local)
        => graph.Blocks.SelectMany(Operations).Any(one => Reads(one, local)) || IsSharedBelow(graph, local);

    private static bool IsSharedBelow(ControlFlowGraph graph, ILocalSymbol local)
        => graph.LocalFunctions.Any(function => Mentions(graph.GetLocalFunctionControlFlowGraph(function), local))
           || Lambdas(graph)
               .Any(function => Mentions(graph.GetAnonymousFunctionControlFlowGraph(function), local));

    private static bool Reads(IOperation operation, ILocalSymbol local)
        => operation is ILocalReferenceOperation reference && SymbolEqualityComparer.Default.Equals(reference.Local, local);

    private static bool IsInHandler(BasicBlock block)
    {
        for (ControlFlowRegion? region = block.EnclosingRegion; region is not null; region = region.EnclosingRegion)
        {
            if (region.Kind is ControlFlowRegionKind.Catch or ControlFlowRegionKind.Finally or ControlFlowRegionKind.Filter)
            {
                return true;
            }
        }

        return false;
    }

    private static IEnumerable<IFlowAnonymousFunctionOperation> Lambdas(ControlFlowGraph graph)
        => graph.Blocks.SelectMany(Operations).OfType<IFlowAnonymousFunctionOperation>();

    private static IEnumerable<ControlFlowRegion> Regions(ControlFlowRegion root)
        => root.NestedRegions.SelectMany(Regions).Prepend(root);

    private static IEnumerable<IOperation> Operations(BasicBlock block)
        => block.Operations.Concat(block.BranchValue is { } value ? [value] : []).SelectMany(one => one.DescendantsAndSelf());
}
