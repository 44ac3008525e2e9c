namespace MemVirt.Cli.Recording;

/// <summary>Which of a program's references are kept.</summary>
/// <param name="Skip">References left out at the start.</param>
/// <param name="Limit">References kept after them; null for all.</param>
internal sealed record RecordingWindow(long Skip, long? Limit);
