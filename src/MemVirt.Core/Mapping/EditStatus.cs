namespace MemVirt.Core.Mapping;

/// <summary>How an edit ended. Every one but <see cref="Done"/> has changed nothing that a walk can see.</summary>
public enum EditStatus : byte
{
    /// <summary>It was made.</summary>
    Done,

    /// <summary>A page is mapped there already, of the size asked for or larger.</summary>
    AlreadyMapped,

    /// <summary>A table of smaller pages stands where the page would be.</summary>
    SmallerPagesMapped,

    /// <summary>The range covers a part only of a larger page: split that first.</summary>
    CutsLargerPage,

    /// <summary>Nothing is mapped there.</summary>
    NotMapped,

    /// <summary>The page lies where entries of smaller pages cannot point: above 4 GiB, in 32-bit paging.</summary>
    NotSplittable,

    /// <summary>
    /// The pages are not all present, of one size, contiguous, aligned and alike: they cannot be one larger page.
    /// </summary>
    NotMergeable,
}
