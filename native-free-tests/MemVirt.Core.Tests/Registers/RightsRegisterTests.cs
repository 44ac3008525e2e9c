using MemVirt.Core.Registers;

namespace MemVirt.Core.Tests.Registers;

/// <summary>IA32_EFER, PKRU, IA32_PKRS, CPL and AC (Intel SDM Vol. 3A §2.2.1, §4.6; AMD APM Vol. 2 §3.1.7).</summary>
public class RightsRegisterTests
{
    private const ulong Long = Efer.LongModeEnable | Efer.LongModeActive;

    [Theory]
    [InlineData("off", 0x100UL, 0x100L)] // LME while paging is off
    [InlineData("off", 0x801UL, 0x801L)] // NXE, SCE
    [InlineData("off", 0x400UL, 0L)] // LMA is ignored
    [InlineData("long", Long | 0x800, 0xD00L)]
    [InlineData("long", 0x100UL, (long)Long)] // LMA is ignored
    [InlineData("long", 0UL, -1L)] // LME cleared while paging is on
    [InlineData("32", 0x100UL, -1L)] // LME set while paging is on
    [InlineData("pae", 0x900UL, -1L)]
    [InlineData("32", 0x800UL, 0x800L)]
    [InlineData("off", 0x1000UL, -1L)] // reserved
    [InlineData("off", 0x2UL, -1L)]
    [InlineData("off", 1UL << 63, -1L)]
    public void Intel_EFER_is_written_or_refused(string state, ulong value, long expected)
    {
        PagingRegisters before = RegisterStates.Named(state);
        RegisterWrite write = RightsRegisterWrites.WriteEfer(before, ProcessorFeatures.Everything, value);
        Assert.Equal(expected < 0, write.GeneralProtection);
        Assert.Equal(expected < 0 ? before.Efer : (ulong)expected, write.Registers.Efer);
        Assert.Equal(RegisterFlush.None, write.Flush);
    }

    [Theory]
    [InlineData("long", Long, false)]
    [InlineData("long", 0x100UL, true)]
    [InlineData("off", 0x400UL, true)]
    [InlineData("off", 0x100UL, false)]
    [InlineData("off", 0x1100UL, false)] // SVME, where the processor is said to have it
    public void AMD_refuses_an_LMA_that_differs(string state, ulong value, bool refused)
    {
        var features = new ProcessorFeatures { Vendor = ProcessorVendor.Amd, OtherEferBits = 0x1001 };
        Assert.Equal(refused, RightsRegisterWrites.WriteEfer(RegisterStates.Named(state), features, value).GeneralProtection);
    }

    [Fact]
    public void EFER_bits_are_reserved_without_their_features()
    {
        var bare = new ProcessorFeatures { NoExecute = false, LongMode = false };
        Assert.True(RightsRegisterWrites.WriteEfer(RegisterStates.Unpaged, bare, Efer.NoExecuteEnable).GeneralProtection);
        Assert.True(RightsRegisterWrites.WriteEfer(RegisterStates.Unpaged, bare, Efer.LongModeEnable).GeneralProtection);
        Assert.False(RightsRegisterWrites.WriteEfer(RegisterStates.Unpaged, bare, 1).GeneralProtection);
    }

    [Fact]
    public void Protection_key_registers_have_32_bits()
    {
        PagingRegisters before = RegisterStates.LongMode with { Pkru = 1, Pkrs = 2 };
        RegisterWrite user = RightsRegisterWrites.WritePkru(before, 0xFFFF_FFFC);
        Assert.Equal(before with { Pkru = 0xFFFF_FFFC }, user.Registers);
        RegisterWrite supervisor = RightsRegisterWrites.WritePkrs(before, ProcessorFeatures.Everything, 0x8000_0001);
        Assert.Equal(before with { Pkrs = 0x8000_0001 }, supervisor.Registers);
        Assert.Equal((RegisterFlush.None, RegisterFlush.None), (user.Flush, supervisor.Flush));
        for (int bit = 32; bit < 64; bit++)
        {
            Assert.True(RightsRegisterWrites.WritePkru(before, 1UL << bit).GeneralProtection);
            Assert.True(RightsRegisterWrites.WritePkrs(before, ProcessorFeatures.Everything, 1UL << bit).GeneralProtection);
        }
    }

    [Fact]
    public void PKRS_is_no_MSR_of_a_processor_without_it()
    {
        var bare = new ProcessorFeatures { ProtectionKeysSupervisor = false };
        Assert.True(RightsRegisterWrites.WritePkrs(RegisterStates.LongMode, bare, 0).GeneralProtection);
    }

    [Fact]
    public void Privilege_changes_forget_nothing()
    {
        for (byte level = 0; level < 4; level++)
        {
            RegisterWrite write = RightsRegisterWrites.ChangePrivilege(RegisterStates.LongMode, level, level == 2);
            Assert.False(write.GeneralProtection);
            Assert.Equal(RegisterFlush.None, write.Flush);
            PagingRegisters expected = RegisterStates.LongMode with { CurrentPrivilegeLevel = level, AlignmentCheck = level == 2 };
            Assert.Equal(expected, write.Registers);
        }
    }

    [Fact]
    public void Writes_of_registers_allocate_nothing()
    {
        ulong cr3 = 0x1000;
        Assert.Equal(0, Allocations.Of(Run));

        void Run()
        {
            PagingRegisters registers = RegisterStates.WithContexts;
            for (int round = 0; round < 1000; round++)
            {
                registers = ControlRegisterWrites.MoveToCr0(registers, ProcessorFeatures.Everything, registers.Cr0).Registers;
                registers = ControlRegisterWrites.MoveToCr3(registers, ProcessorFeatures.Everything, cr3 += 0x1000).Registers;
                registers = ControlRegisterWrites.MoveToCr4(registers, ProcessorFeatures.Everything, registers.Cr4).Registers;
                registers = RightsRegisterWrites.WriteEfer(registers, ProcessorFeatures.Everything, registers.Efer).Registers;
                registers = RightsRegisterWrites.ChangePrivilege(registers, 3, false).Registers;
                Assert.True(LinearAddressRules.TryCanonicalize(cr3, registers, dataAccess: true, out _));
            }
        }
    }
}
