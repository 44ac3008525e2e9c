using MemVirt.Cpu.Machine.Timers;

namespace MemVirt.Cpu.Tests.Machine.Timers;

/// <summary>The counting of the 8254: the datasheet's waveforms, and the same as a counter that goes pulse by pulse.</summary>
public class PitChannelTests
{
    [Theory]
    [InlineData(0, 4, "_____~~~", "4 3 2 1 0 65535 65534 65533")]
    [InlineData(2, 3, "~~~_~~_~", "- 3 2 1 3 2 1 3")]
    [InlineData(3, 4, "~~~__~~__~", "- 4 2 4 2 4 2 4 2 4")]
    [InlineData(3, 5, "~~~~__~~~__~", "- 4 2 0 4 2 4 2 0 4 2 4")]
    [InlineData(4, 3, "~~~~_~~~", "- 3 2 1 0 65535 65534 65533")]
    public void The_datasheets_figures(int mode, uint count, string waveform, string elements)
    {
        var channel = new PitChannel(gate: true);
        channel.SetMode(mode, isBcd: false);
        channel.SetInitial(count);
        string seen = channel.Out ? "~" : "_";
        string seenElements = elements.StartsWith('-') ? "-" : "";
        for (ulong pulse = 1; pulse < (ulong)waveform.Length; pulse++)
        {
            channel.AdvanceTo(pulse);
            seen += channel.Out ? "~" : "_";
            seenElements += $" {channel.Count}";
        }

        if (mode == 0)
        {
            channel.AdvanceTo((ulong)waveform.Length);
            seenElements += $" {channel.Count}";
        }

        Assert.Equal(waveform, seen);
        Assert.Equal(elements, seenElements.TrimStart());
    }

    [Fact]
    public void A_one_shot_is_low_for_its_count_from_the_pulse_after_the_trigger_and_can_be_triggered_again()
    {
        var channel = new PitChannel(gate: false);
        channel.SetMode(1, isBcd: false);
        channel.SetInitial(3);
        channel.AdvanceTo(10);
        Assert.True(channel.Out);
        channel.SetGate(true);
        Assert.Equal("~___~", Waveform(channel, 10, 5));
        channel.SetGate(false);
        channel.SetGate(true);
        channel.AdvanceTo(16);
        channel.SetGate(false);
        channel.SetGate(true);
        Assert.Equal("____~", Waveform(channel, 16, 5));
    }

    [Fact]
    public void A_gate_that_is_low_stops_mode_0_and_does_not_keep_a_count_from_being_loaded()
    {
        var channel = new PitChannel(gate: false);
        channel.SetMode(0, isBcd: false);
        channel.SetInitial(2);
        channel.AdvanceTo(100);
        Assert.Equal(2u, channel.Count);
        Assert.False(channel.IsNullCount);
        Assert.Equal(PitChannel.Never, channel.NextChange);
        channel.SetGate(true);
        Assert.Equal(102ul, channel.NextChange);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void It_counts_as_a_literal_counter_does(int seed)
    {
        var random = new Random(seed);
        var channel = new PitChannel(gate: true);
        var literal = new LiteralCounter(gate: true);
        ulong pulse = 0;
        for (int step = 0; step < 20_000; step++)
        {
            string action = Disturb(random, channel, literal);
            Compare(channel, literal, seed, step, action);
            ulong next = channel.NextChange;
            ulong until = pulse + (ulong)random.Next(0, 12) * (ulong)(random.Next(8) == 0 ? 40 : 1);
            while (pulse < until)
            {
                bool before = literal.Out;
                pulse++;
                literal.Pulse();
                Assert.True(before == literal.Out || pulse >= next, $"seed {seed}, step {step}: OUT changed at {pulse}, told {next}");
                Assert.True(pulse != next || before != literal.Out, $"seed {seed}, step {step}: OUT did not change at {next}");
                if (pulse == next)
                {
                    break;
                }
            }

            channel.AdvanceTo(pulse);
            Compare(channel, literal, seed, step, $"{action}, then to {pulse}");
        }
    }

    private static string Disturb(Random random, PitChannel channel, LiteralCounter literal)
    {
        switch (random.Next(8))
        {
            case 0:
                int mode = random.Next(6);
                bool isBcd = random.Next(2) == 0;
                channel.SetMode(mode, isBcd);
                literal.SetMode(mode, isBcd);
                return $"mode {mode}, BCD {isBcd}";
            case 1:
            case 2:
                int count = random.Next(12) is 0 ? random.Next(10_000) : random.Next(10);
                channel.SetInitial((uint)count);
                literal.Write(count);
                return $"count {count}";
            case 3:
            case 4:
                bool level = random.Next(2) == 0;
                channel.SetGate(level);
                literal.SetGate(level);
                return $"gate {level}";
            default:
                return "nothing";
        }
    }

    private static void Compare(PitChannel channel, LiteralCounter literal, int seed, int step, string action)
    {
        string where = $"seed {seed}, step {step}: {action}";
        Assert.Equal((where, literal.Out, literal.NullCount, (uint)literal.Element), (where, channel.Out, channel.IsNullCount, channel.Count));
    }

    private static string Waveform(PitChannel channel, ulong from, ulong length)
    {
        string seen = "";
        for (ulong pulse = from; pulse < from + length; pulse++)
        {
            channel.AdvanceTo(pulse);
            seen += channel.Out ? "~" : "_";
        }

        return seen;
    }
}
