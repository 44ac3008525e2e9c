using MemVirt.Cpu.Machine;
using MemVirt.Cpu.Machine.Timers;

namespace MemVirt.Cpu.Tests.Machine.Timers;

public class OscillatorTests
{
    [Theory]
    [InlineData(1_193_182UL)]
    [InlineData(32_768UL)]
    [InlineData(1_000_000_000UL)]
    [InlineData(2_999_999_999UL)]
    [InlineData(18_000_000_000UL)]
    public void A_ticks_time_is_the_first_that_has_seen_it(ulong hertz)
    {
        var oscillator = new Oscillator(hertz);
        var random = new Random(1);
        for (int round = 0; round < 10_000; round++)
        {
            ulong nanoseconds = (ulong)random.NextInt64(1L << random.Next(1, 59));
            ulong tick = oscillator.TicksAt(nanoseconds);
            Assert.Equal((UInt128)nanoseconds * hertz / 1_000_000_000, tick);
            ulong next = oscillator.TimeOf(tick + 1);
            Assert.True(oscillator.TicksAt(next) >= tick + 1);
            Assert.True(oscillator.TicksAt(next - 1) <= tick);
        }
    }

    [Fact]
    public void A_tick_beyond_64_bits_of_nanoseconds_never_comes()
        => Assert.Equal(MachineClock.Never, new Oscillator(1_000).TimeOf(ulong.MaxValue));

    [Theory]
    [InlineData(0UL)]
    [InlineData(18_446_744_074UL)]
    public void A_frequency_it_cannot_count_is_refused(ulong hertz)
        => Assert.Throws<ArgumentOutOfRangeException>(() => new Oscillator(hertz));
}
