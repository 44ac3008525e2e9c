using MemVirt.Core.Invalidation;
using MemVirt.Core.Stages;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Sources;

/// <summary>What an invalidation does to the caches of a source.</summary>
internal static class SourceInvalidation
{
    internal static bool Apply<TStage>(in TlbInvalidation invalidation, uint context, PagingStructureCaches? caches, ref TStage stage)
        where TStage : struct, ISecondStage
    {
        switch (invalidation.Scope)
        {
            case InvalidationScope.Address when !invalidation.IncludesTablesOfContext:
                caches?.Drop(invalidation.Address.Value, context);
                break;
            case InvalidationScope.AddressOfVirtualProcessor:
                caches?.DropOfAnyContext(invalidation.Address.Value);
                break;
            case InvalidationScope.SecondStage or InvalidationScope.All:
                stage.Invalidate();
                break;
        }

        return false;
    }
}
