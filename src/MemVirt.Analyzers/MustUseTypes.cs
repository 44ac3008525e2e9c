using System.Linq;
using Microsoft.CodeAnalysis;

namespace MemVirt.Analyzers;

/// <summary>Which types are marked.</summary>
internal sealed class MustUseTypes
{
    private readonly INamedTypeSymbol _attribute;

    internal MustUseTypes(INamedTypeSymbol attribute) => _attribute = attribute;

    /// <summary>
    /// Whether values of a type must be used; of <c>T?</c> those of <c>T</c>, of a task or a tuple those it brings.
    /// </summary>
    internal bool Contains(ITypeSymbol? type)
    {
        if (type is not INamedTypeSymbol named)
        {
            return false;
        }

        if (named.IsTupleType)
        {
            return named.TupleElements.Any(element => Contains(element.Type));
        }

        if (named.OriginalDefinition.SpecialType == SpecialType.System_Nullable_T || IsTask(named))
        {
            return Contains(named.TypeArguments[0]);
        }

        return named.GetAttributes().Any(given => SymbolEqualityComparer.Default.Equals(given.AttributeClass, _attribute));
    }

    internal Diagnostic Report(SyntaxNode where, ITypeSymbol type, string how)
        => Diagnostic.Create(
            MustUseAnalyzer.Dropped,
            where.GetLocation(),
            type.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat),
            how);

    private static bool IsTask(INamedTypeSymbol type)
        => type is { Name: "Task" or "ValueTask", TypeArguments.Length: 1 }
           && type.ContainingNamespace.ToDisplayString() == "System.Threading.Tasks";
}
