namespace MemVirt.Cpu.NativeTests.Images;

/// <summary>Every combination of entry bits, access and control bits, judged by the image itself against the manual.</summary>
public sealed class PagingImageTests
{
    private const ulong Memory = 64 << 20;

    [SkippableTheory]
    [InlineData("paging64", "max", 6_000_000)]
    [InlineData("paging64", "qemu64", 1_000_000)]
    [InlineData("paging32", "max", 3_000_000)]
    [InlineData("paging32", "qemu64", 400_000)]
    [InlineData("pagingpae", "max", 12_000_000)]
    [InlineData("pagingpae", "qemu64", 3_000_000)]
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
    [InlineData("paging32", "max")]
    [InlineData("paging32", "qemu64")]
    [InlineData("pagingpae", "max")]
    [InlineData("pagingpae", "qemu64")]
    public void On_MemVirt_every_case_is_as_the_manual_says_and_as_on_Qemu(string image, string profile)
    {
        IImageRunner memVirt = MemVirtImageRunner.Open();
        string path = ImageBuilder.Build(image);
        ImageRun run = memVirt.Run(path, "", Memory, MemVirtImageRunner.LikeQemu(profile));
        Assert.True(run.ExitValue == ImageRun.Right, run.Output);
        Assert.Equal(QemuImageRunner.Open().Run(path, "", Memory, profile).Comparable(), run.Comparable());
    }

    /// <summary>With PCID, which QEMU's software processor lacks; and as a guest under each regime.</summary>
    [SkippableTheory]
    [InlineData("native", "max")]
    [InlineData("ept", "qemu64")]
    [InlineData("npt", "qemu64")]
    public void On_MemVirt_every_case_of_long_mode_is_as_the_manual_says(string regime, string profile)
    {
        IImageRunner memVirt = MemVirtImageRunner.Open(Enum.Parse<Spaces.GuestRegime>(regime, ignoreCase: true));
        ImageRun run = memVirt.Run(ImageBuilder.Build("paging64"), "", Memory, profile);
        Assert.True(run.ExitValue == ImageRun.Right, run.Output);
        Assert.Equal(0, run.Number("total", "wrong"));
    }

    /// <summary>The accesses end as the manual says; which accessed flags a denied access leaves set is the pager's walk's, as under KVM.</summary>
    [SkippableTheory]
    [InlineData("paging64")]
    [InlineData("pagingpae")]
    [InlineData("paging32")]
    public void Under_shadow_paging_every_access_of_every_mode_ends_as_the_manual_says(string image)
    {
        ImageRun run = MemVirtImageRunner.Open(Spaces.GuestRegime.Shadow).Run(ImageBuilder.Build(image), "", Memory, "qemu64");
        Assert.True(run.ExitValue == ImageRun.Right, run.Output);
        Assert.Equal(0, run.Number("total", "wrong"));
    }

    /// <summary>Frames above 4 GiB, which 32-bit paging reaches by PSE-36; most of the memory is never touched.</summary>
    [SkippableFact]
    public void On_Qemu_pse_36_reaches_above_4_gib()
    {
        Skip.If(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes < 2L << 30, "a guest of 6 GiB wants a host of at least 2");
        ImageRun run = QemuImageRunner.Open().Run(ImageBuilder.Build("paging32"), "section=pse36 memory=6g", 6UL << 30, "max");
        Assert.True(run.ExitValue == ImageRun.Right, run.Output);
        Assert.Contains("pse36 checks 3073 | wrong 0", run.Output);
    }
}
