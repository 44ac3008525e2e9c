namespace MemVirt.Cpu.NativeTests.Images;

/// <summary>What is guaranteed after an invalidation, and when accessed and dirty flags are set.</summary>
public sealed class TlbImageTests
{
    private const ulong Memory = 64 << 20;

    [SkippableTheory]
    [InlineData("max", "")]
    [InlineData("max", "test=random rounds=2000000 seed=7")]
    [InlineData("qemu64", "")]
    public void On_Qemu_an_invalidation_leaves_nothing_stale(string profile, string append)
    {
        ImageRun run = QemuImageRunner.Open().Run(ImageBuilder.Build("tlb"), append, Memory, profile);
        Assert.True(run.ExitValue is ImageRun.Right or ImageRun.Wrong, run.Output);
        string[] wrong = [.. run.Output.Split('\n').Where(line => line.Contains(" | wrong ") && !line.EndsWith(" wrong 0"))];

        // docs/qemu-differences.md: a fault does not remove what was kept for its address.
        Assert.Equal(append.Length == 0 ? ["fault checks 192 | wrong 64"] : [], wrong);
    }

    [SkippableTheory]
    [InlineData("max", "")]
    [InlineData("max", "test=random rounds=2000000 seed=7")]
    [InlineData("qemu64", "")]
    public void On_MemVirt_an_invalidation_leaves_nothing_stale(string profile, string append)
    {
        IImageRunner memVirt = MemVirtImageRunner.Open();
        ImageRun whole = memVirt.Run(ImageBuilder.Build("tlb"), append, Memory, profile);
        Assert.True(whole.ExitValue == ImageRun.Right, whole.Output);
        ImageRun run = memVirt.Run(ImageBuilder.Build("tlb"), append, Memory, MemVirtImageRunner.LikeQemu(profile));
        Assert.True(run.ExitValue == ImageRun.Right, run.Output);
        Assert.Equal(QemuImageRunner.Open().Run(ImageBuilder.Build("tlb"), append, Memory, profile).Comparable(), run.Comparable());
    }
}
