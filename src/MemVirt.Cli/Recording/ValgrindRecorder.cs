using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using MemVirt.Cli.TraceAccess;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.Recording;

/// <summary>
/// Runs a program under valgrind's lackey and takes the references as they come. The log travels over a loopback socket, so
/// that the program keeps its standard streams to itself and nothing is stored on the way.
/// </summary>
internal static class ValgrindRecorder
{
    public static RecordingOutcome Record(
        string valgrind, IReadOnlyList<string> program, RecordingWindow window, ReferenceSink sink, CommandContext context)
    {
        long startedAt = Stopwatch.GetTimestamp();
        using Socket listener = Listen();
        using Process process = Start(valgrind, program, ((IPEndPoint)listener.LocalEndPoint!).Port);
        using CancellationTokenRegistration stop = context.Cancellation.Register(() => Kill(process));
        Socket? connection = null;
        try
        {
            connection = Accept(listener, process, context.Cancellation);
            long references = connection is null ? 0 : Take(connection, process, program[0], window, sink, context);
            bool stoppedAtLimit = references == window.Limit && !process.WaitForExit(TimeSpan.Zero);
            if (stoppedAtLimit)
            {
                Kill(process);
            }

            process.WaitForExit();
            context.Cancellation.ThrowIfCancellationRequested();
            return new RecordingOutcome(
                references, stoppedAtLimit, process.ExitCode, Stopwatch.GetElapsedTime(startedAt).TotalSeconds);
        }
        finally
        {
            // The program goes before its log: valgrind turns to standard error where it finds the log closed.
            Kill(process);
            connection?.Dispose();
        }
    }

    private static long Take(
        Socket connection, Process process, string program, RecordingWindow window, ReferenceSink sink, CommandContext context)
    {
        using var log = new ValgrindLog(connection, process, context.Cancellation);
        using ITraceReader reader = TraceFile.OpenLackey(program, log);
        if (window.Skip > 0)
        {
            TraceCopy.Run(reader, window.Skip, static _ => { }, context);
        }

        return TraceCopy.Run(reader, window.Limit, sink.Append, context);
    }

    private static Socket Listen()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen(1);
            return listener;
        }
        catch (SocketException exception)
        {
            listener.Dispose();
            throw CommandException.Failure(
                $"no loopback socket for valgrind's log ({exception.Message}); is the interface lo up?", exception);
        }
    }

    private static Process Start(string valgrind, IReadOnlyList<string> program, int port)
    {
        var start = new ProcessStartInfo(valgrind) { UseShellExecute = false };
        start.ArgumentList.Add("--tool=lackey");
        start.ArgumentList.Add("--trace-mem=yes");
        start.ArgumentList.Add("--child-silent-after-fork=yes");
        start.ArgumentList.Add($"--log-socket=127.0.0.1:{port}");
        foreach (string argument in program)
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start) ?? throw CommandException.Failure($"{valgrind} did not start");
    }

    /// <summary>Valgrind's connection; null where it ended without one.</summary>
    private static Socket? Accept(Socket listener, Process process, CancellationToken cancellation)
    {
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            bool hadEnded = process.HasExited;
            if (listener.Poll(TimeSpan.FromMilliseconds(50), SelectMode.SelectRead))
            {
                return listener.Accept();
            }

            if (hadEnded)
            {
                return null;
            }
        }
    }

    /// <summary>Ends the program and waits until it is gone; nothing where it has ended by itself.</summary>
    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }
}
