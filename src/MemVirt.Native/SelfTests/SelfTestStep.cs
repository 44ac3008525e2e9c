using MemVirt.Native.Probes;

namespace MemVirt.Native.SelfTests;

/// <summary>How a self-test of the host ended.</summary>
public enum SelfTestOutcome
{
    /// <summary>As the manual says.</summary>
    Works,

    /// <summary>The host lacks it or does it otherwise; what depends on it is left out of the probes.</summary>
    Masked,

    /// <summary>Not as the engine has it, and no known flaw of hosts: the probes show it, with its tables.</summary>
    Differs,

    /// <summary>Something to know; nothing depends on it.</summary>
    Noted,

    /// <summary>The host cannot serve as an oracle.</summary>
    Failed,
}

/// <summary>One self-test of the host.</summary>
/// <param name="Name">What was tried.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Detail">What was seen, or what is left out; empty where it works.</param>
public sealed record SelfTestStep(string Name, SelfTestOutcome Outcome, string Detail = "");

/// <summary>All self-tests of a host.</summary>
/// <param name="Steps">In the order in which they ran.</param>
/// <param name="Masks">What is to be left out.</param>
public sealed record SelfTestResult(IReadOnlyList<SelfTestStep> Steps, ProbeMasks Masks);
