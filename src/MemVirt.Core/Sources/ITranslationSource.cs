using MemVirt.Core.Access;

namespace MemVirt.Core.Sources;

/// <summary>What answers when the TLB does not: a composition of walks. It allocates nothing.</summary>
public interface ITranslationSource
{
    /// <summary>Translates bits 47:0 of a linear address for an access that needs the given rights.</summary>
    Translation Translate(ulong address, AccessRights needed);
}
