using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using MemVirt.Native.Linux;

namespace MemVirt.Native.Terminals;

/// <summary>
/// A terminal whose keys all reach this process as bytes, Ctrl-C too, while output is processed as ever. Its own mode comes back with
/// <see cref="Dispose"/>, when the process ends or fails, and before SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGTSTP do what they do; after
/// SIGCONT it is raw again. Only SIGKILL and a crash of the runtime leave it raw (then <c>stty sane</c> helps). A process in the background
/// leaves the terminal alone.
/// </summary>
public sealed unsafe class RawTerminal : IDisposable
{
    private const int SettlingMilliseconds = 1000;

    // c_iflag, c_oflag, c_cflag, c_lflag.
    private const int Flags = 4;
    private readonly Lock _changing = new();
    private readonly int _descriptor;
    private readonly TerminalAttributes _own;
    private readonly List<PosixSignalRegistration> _signals = [];
    private long _settlesAt;
    private bool _isStopping;
    private bool _isRaw;
    private bool _isOver;

    private RawTerminal(int descriptor, in TerminalAttributes own) => (_descriptor, _own) = (descriptor, own);

    /// <summary>Makes a terminal raw; null where the descriptor is none, or the system is not Linux.</summary>
    /// <param name="descriptor">A file descriptor; 0 is standard input.</param>
    public static RawTerminal? TryEnter(int descriptor)
    {
        TerminalAttributes own = default;
        if (!OperatingSystem.IsLinux() || TerminalCalls.GetAttributes(descriptor, &own) != 0)
        {
            return null;
        }

        var terminal = new RawTerminal(descriptor, own);
        terminal.Register();
        terminal.MakeRaw();
        return terminal;
    }

    /// <summary>Waits for keys.</summary>
    /// <param name="typed">Where they go.</param>
    /// <param name="milliseconds">How long to wait.</param>
    /// <returns>How many bytes; 0 where none came in time, −1 where the terminal is gone.</returns>
    public int Read(Span<byte> typed, int milliseconds)
    {
        StayRaw();

        // A read in the background would stop the process (SIGTTIN).
        if (!IsForeground())
        {
            Thread.Sleep(milliseconds);
            return 0;
        }

        var entry = new PollEntry { Descriptor = _descriptor, Asked = TerminalCalls.PollIn };
        int ready = TerminalCalls.Poll(&entry, 1, milliseconds);
        if (ready == 0)
        {
            return 0;
        }

        if (ready < 0)
        {
            return CanGoOn(Marshal.GetLastPInvokeError()) ? 0 : -1;
        }

        fixed (byte* buffer = typed)
        {
            nint count = TerminalCalls.Read(_descriptor, buffer, (nuint)typed.Length);
            return count > 0 ? (int)count : count < 0 && CanGoOn(Marshal.GetLastPInvokeError()) ? 0 : -1;
        }
    }

    /// <summary>Gives the terminal its own mode back, for good.</summary>
    public void Dispose()
    {
        End();
        AppDomain.CurrentDomain.ProcessExit -= OnExit;
        AppDomain.CurrentDomain.UnhandledException -= OnFailure;
        foreach (PosixSignalRegistration signal in _signals)
        {
            signal.Dispose();
        }
    }

    private static bool CanGoOn(int error) => error is TerminalCalls.ErrorInterrupted or TerminalCalls.ErrorTryAgain;

    [SupportedOSPlatform("linux")]
    private void Register()
    {
        AppDomain.CurrentDomain.ProcessExit += OnExit;
        AppDomain.CurrentDomain.UnhandledException += OnFailure;
        foreach (PosixSignal signal in new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT })
        {
            _signals.Add(PosixSignalRegistration.Create(signal, _ => End()));
        }

        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGTSTP, Stop));
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGCONT, _ => Continue()));
    }

    private void Stop(PosixSignalContext signal)
    {
        // The runtime does not stop a process that has a handler for SIGTSTP.
        signal.Cancel = true;
        lock (_changing)
        {
            _isStopping = true;
            Restore();
        }

        // It may come back before all threads have stopped: only SIGCONT tells that the process goes on.
        _ = TerminalCalls.SendSignal(Environment.ProcessId, TerminalCalls.SignalStop);
    }

    private void Continue()
    {
        // The runtime has a handler of its own that puts the terminal back, before this or after it.
        lock (_changing)
        {
            _isStopping = false;
            Volatile.Write(ref _settlesAt, Environment.TickCount64 + SettlingMilliseconds);
            MakeRaw();
        }
    }

    /// <summary>For a while after the process goes on: raw again where somebody has put the terminal back meanwhile.</summary>
    private void StayRaw()
    {
        if (Environment.TickCount64 < Volatile.Read(ref _settlesAt) && IsForeground())
        {
            TerminalAttributes now = default;
            TerminalAttributes raw = Raw();
            bool isKnown = TerminalCalls.GetAttributes(_descriptor, &now) == 0;
            if (isKnown && !now[..Flags].SequenceEqual(raw[..Flags]))
            {
                MakeRaw();
            }
        }
    }

    private TerminalAttributes Raw()
    {
        const int outputFlags = 1;
        TerminalAttributes raw = _own;
        TerminalCalls.MakeRaw(&raw);
        raw[outputFlags] = _own[outputFlags];
        return raw;
    }

    private void OnExit(object? sender, EventArgs e) => End();

    private void OnFailure(object sender, UnhandledExceptionEventArgs e) => End();

    private void MakeRaw()
    {
        lock (_changing)
        {
            if (_isOver || _isStopping || !IsForeground())
            {
                return;
            }

            TerminalAttributes raw = Raw();
            _isRaw = TerminalCalls.SetAttributes(_descriptor, TerminalCalls.SetNow, &raw) == 0;
        }
    }

    private void End()
    {
        lock (_changing)
        {
            _isOver = true;
            Restore();
        }
    }

    private void Restore()
    {
        lock (_changing)
        {
            // In the background the terminal is somebody else's, and setting it would stop this process (SIGTTOU).
            if (_isRaw && IsForeground())
            {
                TerminalAttributes own = _own;
                _ = TerminalCalls.SetAttributes(_descriptor, TerminalCalls.SetNow, &own);
                _isRaw = false;
            }
        }
    }

    private bool IsForeground()
    {
        int foreground = TerminalCalls.GetForegroundGroup(_descriptor);
        return foreground < 0 || foreground == TerminalCalls.GetProcessGroup();
    }
}
