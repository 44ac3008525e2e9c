using System.Runtime.CompilerServices;
using MemVirt.Native.Linux;

namespace MemVirt.Cli;

/// <summary>
/// A guest runs for seconds and through hundreds of methods, and profile-guided optimization makes it a fifth to a third faster; a comparison of
/// a trace is over in some tenths, a tenth later with it. The runtime takes the setting when it starts, so that what runs a guest starts over.
/// </summary>
internal static class GuestStart
{
    private const string ProfileGuided = "DOTNET_TieredPGO";

    /// <summary>Starts the process over where its command runs a guest; does nothing where the user has set the variable, or nothing is compiled.</summary>
    internal static void Prepare(string[] args)
    {
        if (RunsGuest(args) && RuntimeFeature.IsDynamicCodeCompiled && Environment.GetEnvironmentVariable(ProfileGuided) is null)
        {
            ProcessRestart.With(ProfileGuided, "1");
        }
    }

    private static bool RunsGuest(string[] args)
        => args is ["run", ..] || (args is ["compare", ..] && args.Any(argument => argument is "--kernel" or "--image"
            || argument.StartsWith("--kernel=", StringComparison.Ordinal) || argument.StartsWith("--image=", StringComparison.Ordinal)));
}
