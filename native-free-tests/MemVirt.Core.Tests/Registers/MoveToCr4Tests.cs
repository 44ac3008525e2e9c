using MemVirt.Core.Registers;

namespace MemVirt.Core.Tests.Registers;

/// <summary>MOV to CR4 (Intel SDM Vol. 2 "MOV—Move to/from Control Registers", Vol. 3A §2.5, §4.10.4.1).</summary>
public class MoveToCr4Tests
{
    private const ulong Pae = Cr4.PhysicalAddressExtension;

    public static TheoryData<int, string> FeatureBits() => new()
    {
        { 4, nameof(ProcessorFeatures.PageSizeExtensions) },
        { 7, nameof(ProcessorFeatures.PageGlobal) },
        { 5, nameof(ProcessorFeatures.PhysicalAddressExtension) },
        { 12, nameof(ProcessorFeatures.LinearAddress57) },
        { 20, nameof(ProcessorFeatures.SupervisorExecutionPrevention) },
        { 21, nameof(ProcessorFeatures.SupervisorAccessPrevention) },
        { 22, nameof(ProcessorFeatures.ProtectionKeysUser) },
        { 23, nameof(ProcessorFeatures.ControlFlowEnforcement) },
        { 24, nameof(ProcessorFeatures.ProtectionKeysSupervisor) },
        { 28, nameof(ProcessorFeatures.LinearAddressMasking) },
    };

    [Theory]
    [MemberData(nameof(FeatureBits))]
    public void A_bit_is_reserved_without_its_feature_and_free_with_it(int bit, string feature)
    {
        Assert.False(Move(RegisterStates.Unpaged, ProcessorFeatures.Everything, 1UL << bit).GeneralProtection);
        Assert.True(Move(RegisterStates.Unpaged, Without(feature), 1UL << bit).GeneralProtection);
    }

    [Fact]
    public void PCIDE_is_reserved_without_its_feature_and_free_with_it_in_long_mode()
    {
        ulong value = Pae | Cr4.ProcessContextEnable;
        Assert.False(Move(RegisterStates.LongMode, ProcessorFeatures.Everything, value).GeneralProtection);
        Assert.True(Move(RegisterStates.LongMode, Without(nameof(ProcessorFeatures.ProcessContexts)), value).GeneralProtection);
    }

    [Fact]
    public void Bits_that_no_feature_stands_for_are_reserved_unless_listed()
    {
        for (int bit = 0; bit < 64; bit++)
        {
            bool mine = bit is 4 or 5 or 7 or 12 or 17 or 20 or 21 or 22 or 23 or 24 or 28;
            bool listed = bit is 0 or 1 or 2 or 3 or 6 or 8 or 9 or 10 or 11 or 13 or 14 or 16 or 18 or 19 or 25;
            if (!mine)
            {
                Assert.Equal(!listed, Move(RegisterStates.Unpaged, ProcessorFeatures.Everything, 1UL << bit).GeneralProtection);
                var bare = new ProcessorFeatures { OtherCr4Bits = 0 };
                Assert.True(Move(RegisterStates.Unpaged, bare, 1UL << bit).GeneralProtection);
            }
        }
    }

    [Theory]
    [InlineData("long", 0UL)] // leave long mode by clearing PAE
    [InlineData("long", Pae | Cr4.LinearAddress57)] // change LA57 in long mode
    [InlineData("five", Pae)]
    [InlineData("pae", Pae | Cr4.ProcessContextEnable)] // PCIDE outside long mode
    [InlineData("off", Cr4.ProcessContextEnable)]
    public void A_change_that_long_mode_forbids_is_refused(string state, ulong value)
    {
        RegisterWrite write = Move(RegisterStates.Named(state), ProcessorFeatures.Everything, value);
        Assert.True(write.GeneralProtection);
        Assert.Equal(RegisterStates.Named(state), write.Registers);
    }

    [Fact]
    public void PCIDE_is_refused_while_any_of_the_low_12_bits_of_CR3_is_set_and_may_stay_set()
    {
        ulong value = Pae | Cr4.ProcessContextEnable;
        for (int bit = 0; bit < 16; bit++)
        {
            PagingRegisters before = RegisterStates.LongMode with { Cr3 = 1UL << bit };
            Assert.Equal(bit < 12, Move(before, ProcessorFeatures.Everything, value).GeneralProtection);
            Assert.False(Move(before with { Cr4 = value }, ProcessorFeatures.Everything, value).GeneralProtection);
        }
    }

    [Fact]
    public void CET_is_refused_while_write_protection_is_off()
    {
        PagingRegisters before = RegisterStates.LongMode;
        Assert.False(Move(before, ProcessorFeatures.Everything, Pae | Cr4.ControlFlowEnforcement).GeneralProtection);
        before.Cr0 &= ~Cr0.WriteProtect;
        Assert.True(Move(before, ProcessorFeatures.Everything, Pae | Cr4.ControlFlowEnforcement).GeneralProtection);
    }

    [Theory]
    [InlineData("32", 0UL, Cr4.PageGlobalEnable, RegisterFlush.Everything, RegisterFlush.Everything)] // §4.10.4.1: PGE changes
    [InlineData("32", Cr4.PageGlobalEnable, 0UL, RegisterFlush.Everything, RegisterFlush.Everything)]
    [InlineData("32", 0UL, Cr4.PageSizeExtensions, RegisterFlush.None, RegisterFlush.Everything)] // APM §5.5.3: PSE
    [InlineData("32", 0UL, Pae, RegisterFlush.AllOfContext, RegisterFlush.Everything)] // PAE changes
    [InlineData("32", Pae, 0UL, RegisterFlush.AllOfContext, RegisterFlush.Everything)]
    [InlineData("32", 0UL, Cr4.SupervisorExecutionPrevention, RegisterFlush.AllOfContext, RegisterFlush.Everything)] // SMEP 0 to 1
    [InlineData("32", Cr4.SupervisorExecutionPrevention, 0UL, RegisterFlush.None, RegisterFlush.None)] // SMEP 1 to 0
    [InlineData("32", 0UL, Cr4.SupervisorAccessPrevention, RegisterFlush.None, RegisterFlush.None)]
    [InlineData("32", 0UL, Cr4.ProtectionKeysUser, RegisterFlush.None, RegisterFlush.Everything)]
    [InlineData("32", Cr4.ProtectionKeysUser, 0UL, RegisterFlush.None, RegisterFlush.None)]
    [InlineData("32", 0UL, Cr4.ProtectionKeysSupervisor, RegisterFlush.None, RegisterFlush.None)]
    [InlineData("32", 0UL, Cr4.ControlFlowEnforcement, RegisterFlush.None, RegisterFlush.None)]
    [InlineData("32", 0UL, Cr4.LinearAddressMaskingSupervisor, RegisterFlush.None, RegisterFlush.None)]
    [InlineData("32", Pae, Pae | Cr4.PageGlobalEnable, RegisterFlush.Everything, RegisterFlush.Everything)]
    [InlineData("long", Pae, Pae | Cr4.ProcessContextEnable, RegisterFlush.None, RegisterFlush.None)] // PCIDE 0 to 1
    [InlineData("long", Pae | Cr4.ProcessContextEnable, Pae, RegisterFlush.Everything, RegisterFlush.Everything)] // PCIDE 1 to 0
    public void A_change_forgets_what_the_manual_lists(string state, ulong from, ulong to, RegisterFlush intel, RegisterFlush amd)
    {
        PagingRegisters before = RegisterStates.Named(state) with { Cr4 = from };
        Assert.Equal(intel, Move(before, ProcessorFeatures.Everything, to).Flush);
        RegisterWrite write = Move(before, new ProcessorFeatures { Vendor = ProcessorVendor.Amd }, to);
        Assert.False(write.GeneralProtection);
        Assert.Equal(amd, write.Flush);
        Assert.Equal(to, write.Registers.Cr4);
    }

    [Fact]
    public void Several_changes_together_forget_what_the_widest_of_them_does()
    {
        ulong[] bits =
        [
            Pae, Cr4.PageGlobalEnable, Cr4.PageSizeExtensions, Cr4.SupervisorExecutionPrevention, Cr4.ProtectionKeysUser,
        ];
        foreach (ProcessorVendor vendor in Enum.GetValues<ProcessorVendor>())
        {
            foreach (ulong from in MoveToCr0Tests.Subsets(bits))
            {
                foreach (ulong to in MoveToCr0Tests.Subsets(bits))
                {
                    RegisterFlush widest = bits.Max(bit => Cr4Features.FlushOf(from & bit, to & bit, vendor));
                    Assert.Equal(widest, Cr4Features.FlushOf(from, to, vendor));
                }
            }
        }
    }

    [Fact]
    public void SMEP_forgets_the_PCID_that_is_loaded()
    {
        PagingRegisters before = RegisterStates.WithContexts;
        RegisterWrite write = Move(before, ProcessorFeatures.Everything, before.Cr4 | Cr4.SupervisorExecutionPrevention);
        Assert.Equal(RegisterFlush.AllOfContext, write.Flush);
        Assert.Equal(5, write.ProcessContext);
    }

    [Theory]
    [InlineData("32", Pae, true)] // §4.4.1: PAE
    [InlineData("pae", Pae, false)]
    [InlineData("pae", Pae | Cr4.PageGlobalEnable, true)] // PGE
    [InlineData("pae", Pae | Cr4.PageSizeExtensions, true)] // PSE
    [InlineData("pae", Pae | Cr4.SupervisorExecutionPrevention, true)] // SMEP
    [InlineData("pae", Pae | Cr4.SupervisorAccessPrevention, false)]
    [InlineData("pae", 0UL, false)]
    [InlineData("long", Pae | Cr4.PageGlobalEnable, false)]
    [InlineData("off", Pae, false)]
    public void PAE_paging_loads_its_pointers_when_PAE_PGE_PSE_or_SMEP_change(string state, ulong value, bool loads)
        => Assert.Equal(loads, Move(RegisterStates.Named(state), ProcessorFeatures.Everything, value).LoadsPageDirectoryPointers);

    private static RegisterWrite Move(in PagingRegisters before, ProcessorFeatures features, ulong value)
        => ControlRegisterWrites.MoveToCr4(before, features, value);

    private static ProcessorFeatures Without(string feature)
    {
        var features = new ProcessorFeatures();
        typeof(ProcessorFeatures).GetProperty(feature)!.SetValue(features, false);
        return features;
    }
}
