namespace MemVirt.Core.Mapping;

/// <summary>
/// A value of this type must be used: the analyzer that comes with the library reports one that is dropped as error MV0001, be it
/// by a statement that ignores it, a discard, an <c>out _</c>, or a local that nobody reads.
/// </summary>
[AttributeUsage(AttributeTargets.Struct | AttributeTargets.Class | AttributeTargets.Enum)]
public sealed class MustUseAttribute : Attribute;
