namespace MemVirt.Cpu.NativeTests.Consoles;

/// <summary>The raw terminal on a real pseudo-terminal: what reaches the guest, and that the user's settings come back.</summary>
public sealed class TerminalTests
{
    private const byte Escape = 0x1D;

    [SkippableFact]
    public void Every_key_reaches_the_guest_and_the_user_can_leave()
    {
        using PseudoTerminal terminal = PseudoTerminal.Start("cancels");
        Assert.NotEqual(terminal.OwnSettings, terminal.Settings);
        terminal.Type((byte)'a', 3, 26, 4, 13, 17, 19, Escape, Escape);
        terminal.WaitFor(() => terminal.Shown.Contains("<61><03><1a><04><0d><11><13><1d>", StringComparison.Ordinal), "the keys");
        terminal.Type(Escape, (byte)'x');
        Assert.Equal(7, terminal.ExitCode);
        Assert.Equal(terminal.OwnSettings, terminal.Settings);
        terminal.WaitFor(() => terminal.Shown.EndsWith("left", StringComparison.Ordinal), "all of the output");
    }

    [SkippableTheory]
    [InlineData("plain", "TERM", false)]
    [InlineData("plain", "INT", false)]
    [InlineData("plain", "HUP", false)]
    [InlineData("plain", "QUIT", false)]
    [InlineData("cancels", "TERM", false)]
    [InlineData("cancels", "TERM", true)]
    [InlineData("stuck", "TERM", false)]
    public void A_signal_that_ends_the_process_leaves_the_terminal_as_it_was(string behaviour, string signal, bool leavesOpen)
    {
        using PseudoTerminal terminal = PseudoTerminal.Start(behaviour, leavesOpen);
        Assert.NotEqual(terminal.OwnSettings, terminal.Settings);
        terminal.Kill(signal);
        Assert.NotEqual(0, terminal.ExitCode);
        Assert.Equal(terminal.OwnSettings, terminal.Settings);
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_stopped_process_gives_the_terminal_back_until_it_goes_on(bool underShell)
    {
        using PseudoTerminal terminal = PseudoTerminal.Start("cancels", underShell: underShell);
        string raw = terminal.Settings;
        Assert.NotEqual(terminal.OwnSettings, raw);
        for (int i = 0; i < (underShell ? 1 : 3); i++)
        {
            terminal.Kill("TSTP");
            terminal.WaitFor(() => terminal.State() == 'T' && terminal.Settings == terminal.OwnSettings, $"the user's settings, round {i}");
            if (underShell)
            {
                terminal.Type((byte)'f', (byte)'g', 10);
            }
            else
            {
                terminal.Kill("CONT");
            }

            terminal.WaitFor(() => terminal.Settings == raw, "raw mode");
        }

        terminal.Type((byte)'b');
        terminal.WaitFor(() => terminal.Shown.Contains("<62>", StringComparison.Ordinal), "a key");
    }

    [SkippableFact]
    public void A_failure_that_nobody_expects_leaves_the_terminal_as_it_was()
    {
        using PseudoTerminal terminal = PseudoTerminal.Start("throws", leavesOpen: true);
        Assert.NotEqual(terminal.OwnSettings, terminal.Settings);
        Assert.NotEqual(0, terminal.ExitCode);
        Assert.Equal(terminal.OwnSettings, terminal.Settings);
        terminal.WaitFor(() => terminal.Shown.Contains("a failure that nobody expects", StringComparison.Ordinal), "the failure");
    }

    [SkippableTheory]
    [InlineData("plain")]
    [InlineData("cancels")]
    public void A_terminal_that_goes_away_ends_the_process_quietly(string behaviour)
    {
        using PseudoTerminal terminal = PseudoTerminal.Start(behaviour);
        terminal.HangUp();
        _ = terminal.ExitCode;
    }
}
