namespace MemVirt.Cpu.NativeTests.Images;

/// <summary>Each exception, gate, stack switch and return that software can bring about, by the manual.</summary>
public sealed class ExceptionImageTests
{
    private const ulong Memory = 64 << 20;

    /// <summary>Cases that QEMU 7.2 does not come out of; docs/qemu-differences.md has them all.</summary>
    private static readonly string[] QemuDoesNotReturn =
        ["gp-cr0-pe-off-pg-on", "gp-cr4-pae-off-in-long-mode", "gp-cr4-reserved", "gp-cr3-reserved"];

    private static readonly string[] QemuIsWrong64 =
    [
        "db-icebp-user", "db-general-detect", "bp-gate-of-level-0-user", "int-gate-of-level-0-user",
        "int-gate-not-present-user", "int-beyond-idt-limit-user", "int-gate-offset-not-canonical-user",
        "xm-zero-divide-user", "ud-zero-divide-osxmmexcpt-off-user", "np-of-ud-gate-absent", "df-stack-absent-ist",
        "ss-ext-level-0-stack-not-canonical-ist-user", "ist", "gp-iret-rip-not-canonical", "gp-cr0-nw-without-cd",
        "gp-cr0-high-half", "gp-efer-lme-off-while-paging", "gp-efer-reserved", "gp-lstar-not-canonical",
        "gp-fs-base-not-canonical", "gp-msr-unknown", "ss-read-rbp-not-canonical-user", "ss-push-not-canonical-user",
        "ss-pop-not-canonical-user", "ss-call-stack-not-canonical-user", "gp-jump-not-canonical-user",
        "gp-call-not-canonical-user", "gp-ret-not-canonical-user", "gp-sysret-not-canonical", "ac-read-user",
        "ac-write-user",
    ];

    private static readonly string[] QemuIsWrong32 =
    [
        "db-icebp-user", "ac-read-user", "np-of-ud-gate-absent", "ss-ss0-not-present-user", "ts-ext-ss0-null-user",
        "gp-beyond-limit-user", "gp-across-limit-user", "ss-beyond-limit-user", "ss-push-beyond-limit-user",
        "gp-expand-down-below-user", "gp-write-read-only-data-user", "gp-write-code-user", "gp-null-segment-user",
    ];

    [SkippableTheory]
    [InlineData("exceptions64", "max", 165)]
    [InlineData("exceptions64", "max,vendor=GenuineIntel", 165)]
    [InlineData("exceptions32", "max", 95)]
    public void On_Qemu_nothing_is_wrong_but_what_is_known(string image, string profile, int atLeast)
    {
        ImageRun run = OnQemu(image, profile);
        Assert.Equal(Wrong(image), WrongOf(run));
        Assert.InRange(run.Comparable().Length, atLeast, int.MaxValue);
    }

    [SkippableTheory]
    [InlineData("exceptions64", "max")]
    [InlineData("exceptions32", "max")]
    public void On_MemVirt_everything_is_as_the_manual_says_and_as_on_Qemu(string image, string profile)
    {
        IImageRunner memVirt = MemVirtImageRunner.Open();
        ImageRun run = memVirt.Run(ImageBuilder.Build(image), "", Memory, MemVirtImageRunner.LikeQemu(profile));
        Assert.Empty(WrongOf(run));
        ImageRun qemu = OnQemu(image, profile);
        string[] skipped = [.. qemu.Comparable().Where(line => line.EndsWith(" skipped", StringComparison.Ordinal)).Select(NameOf)];
        Assert.Equal(
            But(image, qemu).Where(line => !skipped.Contains(NameOf(line))), But(image, run).Where(line => !skipped.Contains(NameOf(line))));
    }

    private static string NameOf(string line) => line.Split(' ')[0];

    private static ImageRun OnQemu(string image, string profile) =>
        QemuImageRunner.Open().Run(ImageBuilder.Build(image), "without=" + string.Join(',', QemuDoesNotReturn), Memory, profile);

    private static string[] WrongOf(ImageRun run)
        => [.. run.Output.Split('\n').Where(line => line.StartsWith("| wrong ", StringComparison.Ordinal))
            .Select(line => line["| wrong ".Length..line.IndexOf(':', StringComparison.Ordinal)])];

    private static string[] Wrong(string image) => image == "exceptions64" ? QemuIsWrong64 : QemuIsWrong32;

    /// <summary>The lines of the cases that QEMU gets right.</summary>
    private static string[] But(string image, ImageRun run) =>
        [.. run.Comparable().Where(line => !Wrong(image).Concat(QemuDoesNotReturn).Contains(line.Split(' ')[0]))];
}
