namespace MemVirt.Cpu.NativeTests.Images;

/// <summary>MemVirt's own processor behind the same seam.</summary>
internal static class MemVirtImageRunner
{
    /// <summary>Skips the test for as long as MemVirt.Cpu has no machine that starts a multiboot image.</summary>
    internal static IImageRunner Open()
    {
        throw new SkipException("MemVirt.Cpu has no machine yet that starts a multiboot image");
    }
}
