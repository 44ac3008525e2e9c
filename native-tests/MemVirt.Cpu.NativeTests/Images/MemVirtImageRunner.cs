using System.Text;
using MemVirt.Cpu.Loading;
using MemVirt.Cpu.Spaces;

namespace MemVirt.Cpu.NativeTests.Images;

/// <summary>MemVirt's own processor behind the same seam.</summary>
internal sealed class MemVirtImageRunner(GuestRegime regime) : IImageRunner
{
    private const ulong MostNanoseconds = 120_000_000_000;

    /// <summary>A machine under a regime.</summary>
    internal static IImageRunner Open(GuestRegime regime = GuestRegime.Native) => new MemVirtImageRunner(regime);

    /// <summary>The profile with the features of QEMU's of the same name: its software processor has no PCID.</summary>
    internal static string LikeQemu(string profile) => profile == "max" ? "max,-pcid,-invpcid,-la57" : profile;

    public ImageRun Run(string imagePath, string append, ulong memoryBytes, string cpuProfile)
    {
        // QEMU's "max" has five levels too, which no image here turns on.
        Assert.Null(CpuProfile.TryParse(cpuProfile, out CpuProfile profile));
        var output = new StringBuilder();
        using var machine = new GuestMachine(new GuestOptions
        {
            MemoryBytes = memoryBytes, Regime = regime, Profile = profile, Output = value => output.Append((char)value),
        });
        machine.Load(new MultibootRequest(imagePath, null, append));
        GuestStop stop = machine.Run(MostNanoseconds);
        uint? value = stop == GuestStop.Exit ? (uint)machine.Devices.DebugExit.ExitCode!.Value >> 1 : null;
        string end = value is null ? $"\n{stop} at {machine.Where}" : "";
        return new ImageRun(output.ToString().Replace("\r", "", StringComparison.Ordinal) + end, value);
    }
}
