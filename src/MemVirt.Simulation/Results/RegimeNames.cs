namespace MemVirt.Simulation.Results;

/// <summary>The regimes' names on the command line and in JSON.</summary>
public static class RegimeNames
{
    /// <summary>All regimes, in the usual order.</summary>
    public static IReadOnlyList<Regime> All { get; } = [Regime.Native, Regime.Shadow, Regime.Ept, Regime.Npt];

    /// <summary>The name of a regime.</summary>
    public static string Of(Regime regime) => regime switch
    {
        Regime.Native => "native",
        Regime.Shadow => "shadow",
        Regime.Ept => "ept",
        _ => "npt",
    };

    /// <summary>The regime of a name; false where there is none.</summary>
    public static bool TryParse(string name, out Regime regime)
    {
        foreach (Regime candidate in All)
        {
            if (Of(candidate) == name)
            {
                regime = candidate;
                return true;
            }
        }

        regime = default;
        return false;
    }
}
