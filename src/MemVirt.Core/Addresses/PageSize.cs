namespace MemVirt.Core.Addresses;

/// <summary>A page size of x86-64 long mode (Intel SDM Vol. 3A §4.5): the value is the base-2 logarithm of the size in bytes.</summary>
public enum PageSize : byte
{
    /// <summary>4 KiB, mapped by a PTE.</summary>
    Size4K = 12,

    /// <summary>2 MiB, mapped by a PDE.</summary>
    Size2M = 21,

    /// <summary>1 GiB, mapped by a PDPTE.</summary>
    Size1G = 30,
}
