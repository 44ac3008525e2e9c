using System.Globalization;
using System.Runtime.InteropServices;
using MemVirt.Cli.Consoles;

namespace MemVirt.Cpu.NativeTests.Consoles;

/// <summary>In a process of its own: a guest that shows every byte typed in hexadecimal, until the user leaves or a signal says so.</summary>
internal static class EchoGuest
{
    /// <summary>What it shows when it is up, its process's number following.</summary>
    internal const string Ready = "ready";

    /// <param name="args">How to behave: "plain" for nothing, "cancels" as memvirt's own process does, "stuck" when it does not come back, "throws".</param>
    internal static int Run(string[] args)
    {
        using var cancellation = new CancellationTokenSource();
        string behaviour = args is [{ } only] ? only : "plain";
        using PosixSignalRegistration? terminate = behaviour == "plain" ? null : PosixSignalRegistration.Create(
            PosixSignal.SIGTERM,
            context =>
            {
                context.Cancel = true;
                cancellation.Cancel();
            });
        if (behaviour == "throws")
        {
            _ = Show(new CancellationTokenSource(1000).Token);
            throw new InvalidOperationException("a failure that nobody expects");
        }

        var guest = Task.Run(() => Show(behaviour == "stuck" ? CancellationToken.None : cancellation.Token));
        WaitHandle.WaitAny([((IAsyncResult)guest).AsyncWaitHandle, cancellation.Token.WaitHandle]);
        return guest.Wait(500) ? guest.Result : 130;
    }

    private static int Show(CancellationToken cancellation)
    {
        bool leavesOpen = cancellation.CanBeCanceled && Environment.GetEnvironmentVariable("ECHO_LEAVES_OPEN") is not null;
        IGuestConsole console = GuestConsoles.Open(onStandardError: false);
        Say(console, string.Create(CultureInfo.InvariantCulture, $"{Ready} {Environment.ProcessId} "));
        var typed = new byte[64];
        while (!console.LeaveRequested && !cancellation.IsCancellationRequested)
        {
            int count = console.Read(typed);
            for (int i = 0; i < count; i++)
            {
                Say(console, string.Create(CultureInfo.InvariantCulture, $"<{typed[i]:x2}>"));
            }

            if (count == 0)
            {
                Thread.Sleep(5);
            }
        }

        if (!leavesOpen)
        {
            Say(console, "left");
            console.Flush();
            console.Dispose();
        }

        return 7;
    }

    private static void Say(IGuestConsole console, string text)
    {
        foreach (char letter in text)
        {
            console.Write((byte)letter);
        }
    }
}
