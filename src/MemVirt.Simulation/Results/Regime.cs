namespace MemVirt.Simulation.Results;

/// <summary>How a guest's memory is translated.</summary>
public enum Regime
{
    /// <summary>The guest's tables map straight to host memory.</summary>
    Native,

    /// <summary>Shadow paging after KVM's shadow MMU.</summary>
    Shadow,

    /// <summary>Intel extended page tables.</summary>
    Ept,

    /// <summary>AMD nested page tables.</summary>
    Npt,
}
