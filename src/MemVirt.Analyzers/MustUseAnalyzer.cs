using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace MemVirt.Analyzers;

/// <summary>
/// MV0001: a value whose type is marked <c>[MustUse]</c> is dropped by a statement that ignores it, by a discard, or by a local
/// whose
/// value nobody reads. Whether every path uses the value is not checked: one that does is enough.
/// </summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class MustUseAnalyzer : DiagnosticAnalyzer
{
    private const string AttributeName = "MemVirt.Core.Mapping.MustUseAttribute";

    internal static readonly DiagnosticDescriptor Dropped = new(
        "MV0001",
        "A value that must be used is dropped",
        "This {0} is dropped: {1}. Use it, or say why not with its own method for that.",
        "Correctness",
        DiagnosticSeverity.Error,
        isEnabledByDefault: true,
        description: "Hardware may go on using what an edit of page tables has replaced until its invalidation is made.");

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics => ImmutableArray.Create(Dropped);

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.Analyze | GeneratedCodeAnalysisFlags.ReportDiagnostics);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (start.Compilation.GetTypeByMetadataName(AttributeName) is not { } attribute)
            {
                return;
            }

            var types = new MustUseTypes(attribute);
            start.RegisterOperationAction(operation => CheckStatement(operation, types), OperationKind.ExpressionStatement);
            start.RegisterOperationAction(operation => CheckDiscard(operation, types), OperationKind.Discard);
            start.RegisterOperationBlockAction(block => UnreadLocals.Check(block, types));
        });
    }

    private static void CheckStatement(OperationAnalysisContext context, MustUseTypes types)
    {
        IOperation expression = ((IExpressionStatementOperation)context.Operation).Operation;

        // What is assigned is not dropped yet: the local, field or discard it goes to decides.
        if (expression is not IAssignmentOperation && types.Contains(expression.Type))
        {
            context.ReportDiagnostic(types.Report(expression.Syntax, expression.Type!, "the statement ignores it"));
        }
    }

    private static void CheckDiscard(OperationAnalysisContext context, MustUseTypes types)
    {
        if (types.Contains(context.Operation.Type))
        {
            context.ReportDiagnostic(types.Report(context.Operation.Syntax, context.Operation.Type!, "it goes to a discard"));
        }
    }
}
