using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MemVirt.Core.Tests.Tlb;

/// <summary>A run with an instruction set turned off must really be one: an unknown variable would be ignored without a word.</summary>
public class IntrinsicsKnobTests
{
    [Theory]
    [InlineData("DOTNET_EnableAVX512")]
    [InlineData("DOTNET_EnableAVX2")]
    [InlineData("DOTNET_EnableHWIntrinsic")]
    public void An_instruction_set_that_is_turned_off_is_not_used(string knob)
    {
        if (Environment.GetEnvironmentVariable(knob) != "0")
        {
            return;
        }

        Assert.False(Avx512F.IsSupported);
        Assert.False(Vector512.IsHardwareAccelerated);
        if (knob != "DOTNET_EnableAVX512")
        {
            Assert.False(Avx2.IsSupported);
            Assert.False(Vector256.IsHardwareAccelerated);
        }
    }
}
