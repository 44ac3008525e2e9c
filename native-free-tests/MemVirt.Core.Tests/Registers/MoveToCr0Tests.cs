using MemVirt.Core.Registers;

namespace MemVirt.Core.Tests.Registers;

/// <summary>MOV to CR0 (Intel SDM Vol. 2 "MOV—Move to/from Control Registers", Vol. 3A §2.5, §4.1).</summary>
public class MoveToCr0Tests
{
    private const ulong Plain = RegisterStates.Cr0Plain;

    [Fact]
    public void Every_combination_of_the_bits_is_refused_exactly_where_the_manual_says()
    {
        ulong[] written = [Cr0.ProtectionEnable, Cr0.WriteProtect, Cr0.NotWriteThrough, Cr0.CacheDisable, Cr0.Paging, 1UL << 32];
        int accepted = 0, refused = 0;
        for (int state = 0; state < 64; state++)
        {
            PagingRegisters before = State(state);
            foreach (ulong value in Subsets(written))
            {
                foreach (bool longSegment in new[] { false, true })
                {
                    RegisterWrite write = ControlRegisterWrites.MoveToCr0(before, ProcessorFeatures.Everything, value, longSegment);
                    string where = $"{before} <- 0x{value:x}, L {longSegment}";
                    Assert.True(IsRefused(before, value, longSegment) == write.GeneralProtection, where);
                    if (write.GeneralProtection)
                    {
                        Assert.Equal(before, write.Registers);
                        Assert.Equal(RegisterFlush.None, write.Flush);
                        refused++;
                        continue;
                    }

                    accepted++;
                    bool stops = Has(before.Cr0, Cr0.Paging) && !Has(value, Cr0.Paging);
                    Assert.True((stops ? RegisterFlush.Everything : RegisterFlush.None) == write.Flush, where);
                    bool active = Has(value, Cr0.Paging) && Has(before.Efer, Efer.LongModeEnable);
                    Assert.Equal(active, Has(write.Registers.Efer, Efer.LongModeActive));
                    Assert.Equal(value | 16, write.Registers.Cr0);
                }
            }
        }

        Assert.True(accepted > 100 && refused > 100, $"{accepted} accepted, {refused} refused");
    }

    [Fact]
    public void Reserved_bits_of_the_low_half_are_dropped_and_ET_stays_set()
    {
        const ulong value = 0x7FFF_FFFF & ~16UL;
        RegisterWrite write = ControlRegisterWrites.MoveToCr0(RegisterStates.Unpaged, ProcessorFeatures.Everything, value);
        Assert.False(write.GeneralProtection);
        Assert.Equal(0x6005_003FUL, write.Registers.Cr0);
    }

    [Theory]
    [InlineData("off", Plain | Cr0.Paging, true, ProcessorVendor.Amd)] // APM Vol. 2 §5.5.3: any change of PG
    [InlineData("off", Plain | Cr0.Paging, false, ProcessorVendor.Intel)] // SDM §4.10.4.1: 1 to 0 only
    [InlineData("32", Plain, true, ProcessorVendor.Amd)]
    [InlineData("32", Plain, true, ProcessorVendor.Intel)]
    [InlineData("32", Plain | Cr0.Paging | Cr0.CacheDisable, false, ProcessorVendor.Amd)]
    public void What_paging_turned_on_or_off_forgets_depends_on_the_vendor(string state, ulong value, bool all, ProcessorVendor vendor)
    {
        var features = new ProcessorFeatures { Vendor = vendor };
        RegisterWrite write = ControlRegisterWrites.MoveToCr0(RegisterStates.Named(state), features, value);
        Assert.Equal(all ? RegisterFlush.Everything : RegisterFlush.None, write.Flush);
    }

    [Theory]
    [InlineData(Plain | Cr0.Paging, false)] // nothing changes
    [InlineData(Plain | Cr0.Paging | Cr0.CacheDisable, true)] // SDM §4.4.1: CD
    [InlineData(Plain | Cr0.Paging | Cr0.CacheDisable | Cr0.NotWriteThrough, true)] // NW
    [InlineData(Cr0.ProtectionEnable | Cr0.Paging, false)] // WP is not among them
    [InlineData(Plain, false)] // PAE paging is not in use afterwards
    public void PAE_paging_loads_its_pointers_when_CD_NW_or_PG_change(ulong value, bool loads)
        => Assert.Equal(loads, ControlRegisterWrites.MoveToCr0(RegisterStates.Pae, ProcessorFeatures.Everything, value)
            .LoadsPageDirectoryPointers);

    [Fact]
    public void Entering_PAE_paging_loads_pointers_and_entering_long_mode_does_not()
    {
        PagingRegisters off = RegisterStates.Unpaged with { Cr4 = Cr4.PhysicalAddressExtension };
        Assert.True(Enter(off).LoadsPageDirectoryPointers);
        RegisterWrite entered = Enter(off with { Efer = Efer.LongModeEnable });
        Assert.False(entered.LoadsPageDirectoryPointers);
        Assert.Equal(PagingMode.FourLevel, entered.Registers.Mode);

        static RegisterWrite Enter(in PagingRegisters from)
            => ControlRegisterWrites.MoveToCr0(from, ProcessorFeatures.Everything, Plain | Cr0.Paging);
    }

    // The sentences of the manual, one a line.
    private static bool IsRefused(in PagingRegisters before, ulong value, bool longSegment)
    {
        bool starts = !Has(before.Cr0, Cr0.Paging) && Has(value, Cr0.Paging);
        bool stops = Has(before.Cr0, Cr0.Paging) && !Has(value, Cr0.Paging);
        bool[] reasons =
        [
            value > uint.MaxValue,
            Has(value, Cr0.Paging) && !Has(value, Cr0.ProtectionEnable),
            Has(value, Cr0.NotWriteThrough) && !Has(value, Cr0.CacheDisable),
            starts && Has(before.Efer, Efer.LongModeEnable) && !Has(before.Cr4, Cr4.PhysicalAddressExtension),
            starts && Has(before.Efer, Efer.LongModeEnable) && longSegment,
            stops && Has(before.Cr4, Cr4.ProcessContextEnable),
            stops && Has(before.Efer, Efer.LongModeActive) && longSegment,
            Has(before.Cr4, Cr4.ControlFlowEnforcement) && !Has(value, Cr0.WriteProtect),
        ];
        return reasons.Contains(true);
    }

    private static PagingRegisters State(int bits)
    {
        bool paging = (bits & 1) != 0, longMode = (bits & 2) != 0;
        return new PagingRegisters
        {
            Cr0 = Plain | (paging ? Cr0.Paging : 0),
            Cr4 = ((bits & 4) != 0 || (paging && longMode) ? Cr4.PhysicalAddressExtension : 0)
                  | ((bits & 8) != 0 && paging && longMode ? Cr4.ProcessContextEnable : 0)
                  | ((bits & 16) != 0 ? Cr4.ControlFlowEnforcement : 0)
                  | ((bits & 32) != 0 ? Cr4.LinearAddress57 : 0),
            Efer = (longMode ? Efer.LongModeEnable : 0) | (paging && longMode ? Efer.LongModeActive : 0),
        };
    }

    internal static IEnumerable<ulong> Subsets(ulong[] bits)
        => Enumerable.Range(0, 1 << bits.Length)
            .Select(chosen => bits.Where((_, index) => (chosen >> index & 1) != 0).Aggregate(0UL, (all, bit) => all | bit));

    private static bool Has(ulong value, ulong bit) => (value & bit) != 0;
}
