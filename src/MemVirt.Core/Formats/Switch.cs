namespace MemVirt.Core.Formats;

/// <summary>Something that is on or off for good in a specialised walk.</summary>
public interface ISwitch
{
    /// <summary>Whether it is on.</summary>
    static abstract bool IsOn { get; }
}

/// <summary>On.</summary>
public readonly struct On : ISwitch
{
    /// <inheritdoc/>
    public static bool IsOn => true;
}

/// <summary>Off.</summary>
public readonly struct Off : ISwitch
{
    /// <inheritdoc/>
    public static bool IsOn => false;
}
