using MemVirt.Cpu.Machine;

namespace MemVirt.Cpu.Tests.Machine.Ports;

/// <summary>What a kernel learns of the machine through the firmware configuration's ports.</summary>
public class FirmwareConfigurationTests
{
    private readonly PcDevices _pc = new(new MachineClock(), new PcOptions { BytesBelow4GiB = 0x2000_0000, BytesAbove4GiB = 0x1_0000_0000 });

    [Fact]
    public void It_signs_and_has_the_interface_by_ports_alone()
    {
        Assert.Equal("QEMU"u8.ToArray(), Item(0, 4));
        Assert.Equal([1, 0, 0, 0], Item(1, 4));
    }

    [Fact]
    public void It_tells_the_memory_and_one_processor()
    {
        Assert.Equal(0x1_2000_0000UL, BitConverter.ToUInt64(Item(3, 8)));
        Assert.Equal([1, 0], Item(5, 2));
        Assert.Equal([1, 0], Item(15, 2));
    }

    [Fact]
    public void Past_an_item_s_end_and_of_items_that_there_are_not_it_reads_0()
    {
        Assert.Equal([1, 0, 0, 0], Item(5, 4));
        Assert.Equal([0, 0, 0, 0], Item(0x19, 4));
        Assert.Equal(0u, _pc.Ports.Read(0x510, 1));
    }

    [Fact]
    public void What_is_no_selector_changes_nothing()
    {
        _pc.Ports.Write(0x510, 2, 0);
        _pc.Ports.Write(0x510, 1, 5);
        _pc.Ports.Write(0x511, 1, 5);
        Assert.Equal((uint)'Q', _pc.Ports.Read(0x511, 1));
    }

    private byte[] Item(ushort key, int length)
    {
        _pc.Ports.Write(0x510, 2, key);
        var bytes = new byte[length];
        for (int i = 0; i < length; i++)
        {
            bytes[i] = (byte)_pc.Ports.Read(0x511, 1);
        }

        return bytes;
    }
}
