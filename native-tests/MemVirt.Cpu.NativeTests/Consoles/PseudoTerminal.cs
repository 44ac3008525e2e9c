using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using MemVirt.Cpu.NativeTests.Loading;

namespace MemVirt.Cpu.NativeTests.Consoles;

/// <summary>A pseudo-terminal with an <see cref="EchoGuest"/> on it, this test being the keyboard and the screen.</summary>
internal sealed unsafe partial class PseudoTerminal : IDisposable
{
    private const int OpenForBothNoControlCloseOnExec = 0x8_0102;
    private const int PollMilliseconds = 20;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly int _master;
    private readonly Process _process;
    private readonly StringBuilder _shown = new();
    private readonly Thread _screen;
    private volatile bool _isClosed;

    private PseudoTerminal(int master, string name, Process process)
    {
        _master = master;
        _process = process;
        Name = name;
        _screen = new Thread(Collect) { IsBackground = true };
        _screen.Start();
    }

    internal string Name { get; }

    internal int ExitCode
    {
        get
        {
            Assert.True(_process.WaitForExit(Patience), "the process does not end; it showed: " + Shown);
            return _process.ExitCode;
        }
    }

    internal string Shown
    {
        get
        {
            lock (_shown)
            {
                return _shown.ToString();
            }
        }
    }

    /// <summary>All settings of the terminal, as stty writes them.</summary>
    internal string Settings => SettingsOf(Name);

    private string? GuestId => Regex.Match(Shown, EchoGuest.Ready + " ([0-9]+) ") is { Success: true } match ? match.Groups[1].Value : null;

    internal string OwnSettings { get; private init; } = "";

    /// <summary>Starts an <see cref="EchoGuest"/> on a terminal of its own, as its session's leader, and waits until it is up.</summary>
    /// <param name="behaviour">What the guest is told.</param>
    /// <param name="leavesOpen">Whether it leaves its console to the end of its process.</param>
    /// <param name="underShell">Whether it is the job of a shell, which fetches it back from a stop when a line is typed.</param>
    internal static PseudoTerminal Start(string behaviour, bool leavesOpen = false, bool underShell = false)
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "pseudo-terminals as Linux has them");
        foreach (string tool in new[] { "setsid", "stty", "bash", "env" })
        {
            Skip.IfNot(HostTool.Exists(tool), $"this host has no {tool}");
        }

        int descriptor = OpenTerminal("/dev/ptmx", OpenForBothNoControlCloseOnExec);
        Skip.If(descriptor < 0, "this host gives no pseudo-terminal: /dev/ptmx cannot be opened");
        Assert.Equal(0, Grant(descriptor));
        Assert.Equal(0, Unlock(descriptor));
        var name = new byte[64];
        Assert.Equal(0, NameOf(descriptor, name, (nuint)name.Length));
        string slave = Encoding.ASCII.GetString(name, 0, Array.IndexOf(name, (byte)0));

        string settings = SettingsOf(slave);
        string dll = typeof(PseudoTerminal).Assembly.Location;
        string dotnet = Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet" ? Environment.ProcessPath! : "dotnet";
        string guest = underShell
            ? $"bash -c 'set -m; \"$0\" \"$1\" {behaviour}; read -r line; fg' \"$0\" \"$1\""
            : $"\"$0\" \"$1\" {behaviour}";

        // Who runs the tests may ignore signals, as nohup does; the guest's process must not begin so.
        const string Signals = "env --default-signal=HUP,INT,QUIT,TERM,TSTP";
        var start = new ProcessStartInfo("bash", ["-c", $"exec {Signals} setsid -c {guest} < {slave} > {slave} 2>&1", dotnet, dll]);
        if (leavesOpen)
        {
            start.Environment["ECHO_LEAVES_OPEN"] = "1";
        }

        var terminal = new PseudoTerminal(descriptor, slave, Process.Start(start)!) { OwnSettings = settings };
        try
        {
            terminal.WaitFor(() => terminal.GuestId is not null, "the guest to be up");
            return terminal;
        }
        catch
        {
            terminal.Dispose();
            throw;
        }
    }

    internal void Type(params byte[] keys)
    {
        fixed (byte* bytes = keys)
        {
            Assert.Equal(keys.Length, Write(_master, bytes, (nuint)keys.Length));
        }
    }

    internal void Kill(string signal)
    {
        Assert.True(HostTool.Run("/", Patience, "bash", "-c", $"kill -{signal} {GuestId}").Succeeded);
    }

    internal void HangUp()
    {
        if (!_isClosed)
        {
            _isClosed = true;
            _screen.Join();
            _ = Close(_master);
        }
    }

    /// <summary>The letter that /proc has for what the process does: T where it is stopped.</summary>
    internal char State()
    {
        string status = File.ReadAllText($"/proc/{GuestId}/stat");
        return status[status.LastIndexOf(')') + 2];
    }

    internal void WaitFor(Func<bool> condition, string what)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Patience, $"waited for {what}; the terminal shows: {Shown}");
            Thread.Sleep(20);
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
        HangUp();
    }

    private static string SettingsOf(string terminal)
    {
        (bool succeeded, string settings) = HostTool.Run("/", Patience, "stty", "-F", terminal, "-g");
        Assert.True(succeeded, settings);
        return settings.Trim();
    }

    private void Collect()
    {
        Span<byte> buffer = stackalloc byte[4096];
        while (!_isClosed)
        {
            nint count;
            var entry = new PollEntry { Descriptor = _master, Asked = 1 };
            fixed (byte* bytes = buffer)
            {
                count = Poll(&entry, 1, PollMilliseconds) > 0 ? Read(_master, bytes, (nuint)buffer.Length) : 0;
            }

            if (count > 0)
            {
                lock (_shown)
                {
                    _shown.Append(Encoding.Latin1.GetString(buffer[..(int)count]));
                }
            }
            else
            {
                // Nobody has the other side open, yet or any more.
                Thread.Sleep(PollMilliseconds);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenTerminal(string path, int flags);

    [LibraryImport("libc", EntryPoint = "grantpt")]
    private static partial int Grant(int descriptor);

    [LibraryImport("libc", EntryPoint = "unlockpt")]
    private static partial int Unlock(int descriptor);

    [LibraryImport("libc", EntryPoint = "ptsname_r")]
    private static partial int NameOf(int descriptor, [Out] byte[] name, nuint lengthBytes);

    [LibraryImport("libc", EntryPoint = "poll")]
    private static partial int Poll(PollEntry* entries, nuint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "read")]
    private static partial nint Read(int descriptor, byte* buffer, nuint lengthBytes);

    [LibraryImport("libc", EntryPoint = "write")]
    private static partial nint Write(int descriptor, byte* buffer, nuint lengthBytes);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);

    private struct PollEntry
    {
        internal int Descriptor;
        internal short Asked;
        internal short Found;
    }
}
