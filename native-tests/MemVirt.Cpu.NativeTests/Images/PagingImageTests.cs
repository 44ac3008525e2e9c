namespace MemVirt.Cpu.NativeTests.Images;

/// <summary>Every combination of entry bits, access and control bits, judged by the image itself against the manual.</summary>
public sealed class PagingImageTests
{
    private const ulong Memory = 64 << 20;

    [SkippableTheory]
    [InlineData("paging64", "max", 6_000_000)]
    [InlineData("paging64", "qemu64", 1_000_000)]
    public void On_Qemu_every_case_is_as_the_manual_says_but_for_the_known_differences(string image, string profile, long atLeast)
    {
        ImageRun run = QemuImageRunner.Open().Run(ImageBuilder.Build(image), "", Memory, profile);
        Assert.True(run.ExitValue is ImageRun.Right or ImageRun.Wrong, run.Output);
        Assert.True(run.Number("total", "wrong") == 0, run.Output);
        Assert.InRange(run.Number("total", "cases"), atLeast, long.MaxValue);
    }

    [SkippableTheory]
    [InlineData("paging64", "max")]
    [InlineData("paging64", "qemu64")]
    public void On_MemVirt_every_case_is_as_the_manual_says_and_as_on_Qemu(string image, string profile)
    {
        IImageRunner memVirt = MemVirtImageRunner.Open();
        string path = ImageBuilder.Build(image);
        ImageRun run = memVirt.Run(path, "", Memory, profile);
        Assert.True(run.ExitValue == ImageRun.Right, run.Output);
        Assert.Equal(QemuImageRunner.Open().Run(path, "", Memory, profile).Comparable(), run.Comparable());
    }
}
