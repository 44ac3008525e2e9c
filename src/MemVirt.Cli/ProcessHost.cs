using System.Runtime.InteropServices;
using System.Text;
using MemVirt.Cli.Output;

namespace MemVirt.Cli;

/// <summary>Joins the command line to a real process: its standard streams, its signals and its exit code.</summary>
internal static class ProcessHost
{
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(300);

    public static int Run(string[] args)
    {
        using var cancellation = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => Cancel(signal, cancellation));
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => Cancel(signal, cancellation));
        CommandContext context = Context(cancellation.Token);

        // The command runs beside this thread because a read from a pipe or a terminal cannot be cancelled: where it does not
        // come back in time, this thread tidies up and leaves.
        Task<int> command = Task.Run(() => CommandLineEntry.Run(args, context));
        WaitHandle.WaitAny([((IAsyncResult)command).AsyncWaitHandle, cancellation.Token.WaitHandle]);
        if (!cancellation.IsCancellationRequested || command.Wait(Grace))
        {
            return command.GetAwaiter().GetResult();
        }

        AtomicFile.DeleteUnfinished();
        if (context.ErrorIsTerminal)
        {
            // A progress bar may be up, and has hidden the cursor.
            Console.Error.WriteLine("\u001b[?25h");
        }

        Console.Error.WriteLine("memvirt: " + context.Status.Interrupted());
        return ExitCodes.Interrupted;
    }

    private static void Cancel(PosixSignalContext signal, CancellationTokenSource cancellation)
    {
        signal.Cancel = true;
        cancellation.Cancel();
    }

    private static CommandContext Context(CancellationToken cancellation)
    {
        bool outputIsTerminal = !Console.IsOutputRedirected;
        bool errorIsTerminal = !Console.IsErrorRedirected;
        return new CommandContext
        {
            Output = new StreamWriter(new StandardOutputStream(), new UTF8Encoding(false), 1 << 14),
            Error = Console.Error,
            OutputIsTerminal = outputIsTerminal,
            ErrorIsTerminal = errorIsTerminal,
            Width = outputIsTerminal || errorIsTerminal ? TerminalWidth() : 80,
            Cancellation = cancellation,
        };
    }

    private static int TerminalWidth()
    {
        try
        {
            return Console.WindowWidth > 0 ? Console.WindowWidth : 80;
        }
        catch (IOException)
        {
            return 80;
        }
    }
}
