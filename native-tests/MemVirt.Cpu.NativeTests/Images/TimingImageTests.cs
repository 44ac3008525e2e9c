namespace MemVirt.Cpu.NativeTests.Images;

/// <summary>The microbenchmarks do their work; how long they take is measured elsewhere, from outside.</summary>
public sealed class TimingImageTests
{
    private static readonly string[] Checksums =
    [
        "nothing count 1 checksum 0000000000000001",
        "fault count 100000 checksum 00000000000186a0",
        "cr3 count 10000 checksum 00000000013d6200",
        "invlpg count 100000 checksum 0000000000319550",
        "pte count 100000 checksum 0000000000626550",
        "quicksort count 1 checksum cbc5a609b274f000",
    ];

    [SkippableFact]
    public void On_Qemu_every_benchmark_does_its_work() => DoesItsWork(QemuImageRunner.Open());

    [SkippableFact]
    public void On_MemVirt_every_benchmark_does_its_work() => DoesItsWork(MemVirtImageRunner.Open());

    private static void DoesItsWork(IImageRunner runner)
    {
        ImageRun run = runner.Run(ImageBuilder.Build("timing"), "", 64 << 20, "max");
        Assert.Equal(Checksums, run.Comparable());
        Assert.Equal(ImageRun.Right, run.ExitValue);
    }
}
