using MemVirt.Core.Addresses;

namespace MemVirt.Simulation.Results;

/// <summary>The page sizes' names on the command line, in machine files and in JSON.</summary>
public static class PageSizeNames
{
    /// <summary>The name of a size.</summary>
    public static string Of(PageSize size) => size switch
    {
        PageSize.Size4K => "4k",
        PageSize.Size2M => "2m",
        _ => "1g",
    };

    /// <summary>The size of a name; false where there is none.</summary>
    public static bool TryParse(string name, out PageSize size)
    {
        (size, bool known) = name switch
        {
            "4k" => (PageSize.Size4K, true),
            "2m" => (PageSize.Size2M, true),
            "1g" => (PageSize.Size1G, true),
            _ => (default, false),
        };
        return known;
    }
}
