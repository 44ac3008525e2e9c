using MemVirt.Core.Registers;

namespace MemVirt.Core.Tests.Registers;

/// <summary>MOV to CR3 (Intel SDM Vol. 2 "MOV—Move to/from Control Registers", Vol. 3A §4.4.1, §4.5.2, §4.10.4.1).</summary>
public class MoveToCr3Tests
{
    private const ulong Bit63 = 1UL << 63;

    [Theory]
    [InlineData("long", 0x2000UL, RegisterFlush.NonGlobalOfContext, 0)] // PCIDE 0: PCID 000H
    [InlineData("long", 0x2FFFUL, RegisterFlush.NonGlobalOfContext, 0)] // table 4-12: bits 11:0 choose no PCID
    [InlineData("contexts", 0x2000UL, RegisterFlush.NonGlobalOfContext, 0)] // PCIDE 1, bit 63 0: the PCID loaded
    [InlineData("contexts", 0x2ABCUL, RegisterFlush.NonGlobalOfContext, 0xABC)]
    [InlineData("contexts", 0x1005UL, RegisterFlush.NonGlobalOfContext, 5)] // the same value again
    [InlineData("contexts", 0x2ABCUL | Bit63, RegisterFlush.None, 0xABC)] // PCIDE 1, bit 63 1: nothing
    [InlineData("five", 0x2000UL, RegisterFlush.NonGlobalOfContext, 0)]
    [InlineData("32", 0x2000UL, RegisterFlush.NonGlobalOfContext, 0)]
    [InlineData("pae", 0x2020UL, RegisterFlush.NonGlobalOfContext, 0)]
    [InlineData("off", 0x2000UL, RegisterFlush.NonGlobalOfContext, 0)]
    public void A_load_forgets_the_non_global_translations_of_one_PCID(string state, ulong value, RegisterFlush flush, int context)
    {
        RegisterWrite write = Move(RegisterStates.Named(state), ProcessorFeatures.Everything, value);
        Assert.False(write.GeneralProtection);
        Assert.Equal(flush, write.Flush);
        Assert.Equal(context, write.ProcessContext);
        Assert.Equal(value & ~Bit63, write.Registers.Cr3);
        Assert.Equal(state == "pae", write.LoadsPageDirectoryPointers);
    }

    [Fact]
    public void Each_bit_of_the_operand_is_reserved_as_width_PCIDE_and_LAM_say()
    {
        for (int width = 32; width <= 52; width++)
        {
            foreach (bool masking in new[] { false, true })
            {
                var features = new ProcessorFeatures { PhysicalAddressBits = width, LinearAddressMasking = masking };
                foreach (bool contexts in new[] { false, true })
                {
                    PagingRegisters before = contexts ? RegisterStates.WithContexts : RegisterStates.LongMode;
                    for (int bit = 0; bit < 64; bit++)
                    {
                        bool allowed = bit < width || (bit is 61 or 62 && masking) || (bit == 63 && contexts);
                        RegisterWrite write = Move(before, features, 1UL << bit);
                        Assert.True(allowed == !write.GeneralProtection, $"width {width}, LAM {masking}, PCIDE {contexts}, bit {bit}");
                        Assert.Equal(allowed ? (1UL << bit) & ~Bit63 : before.Cr3, write.Registers.Cr3);
                    }
                }
            }
        }
    }

    [Fact]
    public void Outside_long_mode_the_operand_has_32_bits()
        => Assert.Equal(0x2000UL, Move(RegisterStates.Bits32, ProcessorFeatures.Everything, 0xFFFF_0000_0000_2000).Registers.Cr3);

    [Theory]
    [InlineData(0UL, false)]
    [InlineData(0x1E6UL, false)] // table 4-8: not present, bits ignored
    [InlineData(0xFFFF_FFFF_FFFF_FFFEUL, false)]
    [InlineData(0x5001UL, false)]
    [InlineData(0x5E19UL, false)] // PWT, PCD and bits 11:9 are no reserved bits
    [InlineData(0x5003UL, true)] // bits 2:1
    [InlineData(0x5005UL, true)]
    [InlineData(0x5021UL, true)] // bits 8:5
    [InlineData(0x5041UL, true)]
    [InlineData(0x5081UL, true)]
    [InlineData(0x5101UL, true)]
    [InlineData(0x0080_0000_0001UL, false)] // bit 39 < MAXPHYADDR
    [InlineData(0x0100_0000_0001UL, true)] // bit 40 = MAXPHYADDR
    [InlineData(0x8000_0000_0000_0001UL, true)] // bit 63, NXE or not
    public void PAE_pointers_with_reserved_bits_refuse_the_load_whichever_of_the_four_has_them(ulong entry, bool refused)
    {
        var features = new ProcessorFeatures { PhysicalAddressBits = 40 };
        PagingRegisters before = RegisterStates.Pae;
        RegisterWrite write = Move(before, features, 0x2020);
        for (int position = 0; position < 4; position++)
        {
            var pointers = new PageDirectoryPointers(
                position == 0 ? entry : 0x1001, position == 1 ? entry : 0, position == 2 ? entry : 0x2001, position == 3 ? entry : 0);
            RegisterWrite final = write.WithPointers(before, pointers, features);
            Assert.Equal(refused, final.GeneralProtection);
            Assert.Equal(refused ? before : write.Registers, final.Registers);
            Assert.Equal(refused ? RegisterFlush.None : RegisterFlush.NonGlobalOfContext, final.Flush);
            Assert.Equal(entry, pointers.Of(((uint)position << 30) + 0x3FFF_FFFF));
        }
    }

    [Fact]
    public void Pointers_are_no_matter_to_a_write_that_loads_none()
    {
        RegisterWrite write = Move(RegisterStates.LongMode, ProcessorFeatures.Everything, 0x2000);
        var bad = new PageDirectoryPointers(3, 3, 3, 3);
        Assert.Equal(write, write.WithPointers(RegisterStates.LongMode, bad, ProcessorFeatures.Everything));
    }

    [Fact]
    public void The_pointer_table_lies_on_32_bytes_below_4_GiB()
        => Assert.Equal(0xFFFF_FFE0UL, PageDirectoryPointers.TableAddress(0x1_FFFF_FFFF));

    private static RegisterWrite Move(in PagingRegisters before, ProcessorFeatures features, ulong value)
        => ControlRegisterWrites.MoveToCr3(before, features, value);
}
