using MemVirt.Cpu.Machine;
using MemVirt.Cpu.Machine.Ports;

namespace MemVirt.Cpu.Tests.Machine.Ports;

public class PortBusTests
{
    private readonly PortBus _bus = new();

    [Theory]
    [InlineData(0xCF8, 1, 0xFFu)]
    [InlineData(0xCFC, 2, 0xFFFFu)]
    [InlineData(0xCF8, 4, 0xFFFF_FFFFu)]
    [InlineData(0xFFFF, 4, 0xFFFF_FFFFu)]
    public void What_nothing_claims_reads_all_ones_and_ignores_writes(ushort port, int sizeBytes, uint expected)
    {
        _bus.Write(port, sizeBytes, 0);
        Assert.Equal(expected, _bus.Read(port, sizeBytes));
    }

    [Fact]
    public void A_byte_wide_device_sees_each_byte_at_its_own_port_the_lowest_first()
    {
        var device = new Recorder();
        _bus.Map(0x70, 2, device);
        _bus.Write(0x70, 2, 0x1234);
        _bus.Write(0x6F, 4, 0xAABB_CCDD);
        Assert.Equal([(0x70, 1, 0x34), (0x71, 1, 0x12), (0x70, 1, 0xCC), (0x71, 1, 0xBB)], device.Writes);
        Assert.Equal(0xFF71_70FFu, _bus.Read(0x6F, 4));
    }

    [Fact]
    public void A_wide_device_sees_an_access_whole_where_all_of_it_is_its_own()
    {
        var device = new Recorder();
        _bus.Map(0x100, 4, device, widestBytes: 4);
        _bus.Write(0x100, 4, 0x1234_5678);
        _bus.Write(0x102, 4, 0x1234_5678);
        Assert.Equal([(0x100, 4, 0x1234_5678), (0x102, 1, 0x78), (0x103, 1, 0x56)], device.Writes);
    }

    [Fact]
    public void A_device_of_words_gets_double_words_in_bytes()
    {
        var device = new Recorder();
        _bus.Map(0x100, 4, device, widestBytes: 2);
        _bus.Write(0x100, 2, 0x1234);
        _bus.Write(0x100, 4, 0x0403_0201);
        Assert.Equal([(0x100, 2, 0x1234), (0x100, 1, 1), (0x101, 1, 2), (0x102, 1, 3), (0x103, 1, 4)], device.Writes);
    }

    [Fact]
    public void A_port_is_claimed_once()
    {
        _bus.Map(0x60, 1, new Recorder());
        var error = Assert.Throws<InvalidOperationException>(() => _bus.Map(0x5F, 2, new Recorder()));
        Assert.Contains("0x60", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0xFFFF, 2, 1)]
    [InlineData(0x10, 0, 1)]
    [InlineData(0x10, 1, 3)]
    public void Ports_and_widths_that_do_not_exist_are_refused(ushort first, int count, int widestBytes)
        => Assert.Throws<ArgumentOutOfRangeException>(() => _bus.Map(first, count, new Recorder(), widestBytes));

    [Theory]
    [InlineData(0x00u, 1)]
    [InlineData(0x10u, 0x21)]
    [InlineData(0x1234u, 0x2469)]
    public void The_exit_port_ends_the_run_with_the_first_value_doubled_plus_1(uint value, int exitCode)
    {
        var exit = new DebugExitPort();
        int requests = 0;
        exit.ExitRequested = () => requests++;
        Assert.Null(exit.ExitCode);
        Assert.Equal(0u, exit.Read(DebugExitPort.Port, 1));
        exit.Write(DebugExitPort.Port, 4, value);
        exit.Write(DebugExitPort.Port, 1, 0x7F);
        Assert.Equal(exitCode, exit.ExitCode);
        Assert.Equal(1, requests);
    }

    private sealed class Recorder : IPortDevice
    {
        internal List<(int Port, int SizeBytes, int Value)> Writes { get; } = [];

        public uint Read(ushort port, int sizeBytes) => (byte)port;

        public void Write(ushort port, int sizeBytes, uint value) => Writes.Add((port, sizeBytes, (int)value));
    }
}
