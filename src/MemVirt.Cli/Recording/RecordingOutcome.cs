namespace MemVirt.Cli.Recording;

/// <summary>How a recording ended.</summary>
internal sealed record RecordingOutcome(long References, bool StoppedAtLimit, int ExitCode, double Seconds);
