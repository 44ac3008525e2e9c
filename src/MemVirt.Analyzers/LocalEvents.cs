using System.Collections.Generic;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace MemVirt.Analyzers;

/// <summary>A read or a write of a local.</summary>
internal readonly struct LocalEvent
{
    internal LocalEvent(ILocalSymbol local, SyntaxNode syntax, bool isRead, bool canLose)
        => (Local, Syntax, IsRead, CanLose) = (local, syntax, isRead, canLose);

    internal ILocalSymbol Local { get; }

    internal SyntaxNode Syntax { get; }

    internal bool IsRead { get; }

    /// <summary>Whether what is written is worth anything: <c>default</c> is not.</summary>
    internal bool CanLose { get; }
}

/// <summary>The reads and writes of a block, in the order in which they happen.</summary>
internal static class LocalEvents
{
    internal static List<LocalEvent> Of(BasicBlock block, HashSet<ILocalSymbol> locals)
    {
        var events = new List<LocalEvent>();
        foreach (IOperation operation in block.Operations)
        {
            Visit(operation, locals, events);
        }

        if (block.BranchValue is not null)
        {
            Visit(block.BranchValue, locals, events);
        }

        return events;
    }

    private static void Visit(IOperation operation, HashSet<ILocalSymbol> locals, List<LocalEvent> events)
    {
        switch (operation)
        {
            case ISimpleAssignmentOperation { Target: ILocalReferenceOperation target } assignment
                when locals.Contains(target.Local):
                Visit(assignment.Value, locals, events);
                events.Add(new LocalEvent(target.Local, assignment.Syntax, isRead: false, CanLose(assignment.Value)));
                return;
            case ILocalReferenceOperation reference when locals.Contains(reference.Local):
                events.Add(new LocalEvent(reference.Local, reference.Syntax, !IsWritten(reference), canLose: true));
                return;
            case IDeclarationPatternOperation { DeclaredSymbol: ILocalSymbol declared } when locals.Contains(declared):
                events.Add(new LocalEvent(declared, operation.Syntax, isRead: false, canLose: true));
                return;
        }

        // Arguments happen in order; what an out argument receives, it receives after the others were read.
        foreach (IOperation child in operation.ChildOperations)
        {
            if (!IsOut(child))
            {
                Visit(child, locals, events);
            }
        }

        foreach (IOperation child in operation.ChildOperations)
        {
            if (IsOut(child))
            {
                Visit(child, locals, events);
            }
        }
    }

    private static bool IsOut(IOperation operation) => operation is IArgumentOperation { Parameter.RefKind: RefKind.Out };

    private static bool CanLose(IOperation value)
        => value is not IDefaultValueOperation && (value as IConversionOperation)?.Operand is not IDefaultValueOperation
           && !value.ConstantValue.HasValue;

    /// <summary>Whether the reference only receives a value: an out argument, or a part of a deconstruction.</summary>
    private static bool IsWritten(ILocalReferenceOperation reference)
    {
        IOperation? parent = reference.Parent;
        IOperation child = reference;
        while (parent is IDeclarationExpressionOperation or ITupleOperation)
        {
            (child, parent) = (parent, parent.Parent);
        }

        return IsOut(parent!)
            || (parent is IDeconstructionAssignmentOperation deconstruction && ReferenceEquals(deconstruction.Target, child));
    }
}
