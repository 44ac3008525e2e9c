using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using MemVirt.Native.Linux;

namespace MemVirt.Native.Kvm;

/// <summary>
/// A thread that runs virtual processors, and can be called back from a guest that never exits: a watchdog sets immediate_exit and
/// signals the thread. The signal is blocked but while KVM_RUN waits, so that it ends KVM_RUN and is never delivered: no handler.
/// </summary>
internal sealed class VirtualProcessorThread : IDisposable
{
    private const int WatchMilliseconds = 10;

    /// <summary>What KVM gets to come back after a signal; a thread that does not is given up.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);
    private readonly Lock _gate = new();
    private readonly Timer _watchdog;
    private readonly CancellationToken _cancellation;
    private readonly ManualResetEventSlim _ended = new();
    private VirtualMachine? _running;
    private long _deadline = long.MaxValue;
    private bool _stopped;
    private nint _threadId;

    private VirtualProcessorThread(CancellationToken cancellation)
    {
        _cancellation = cancellation;
        _watchdog = new Timer(_ => Watch(), null, WatchMilliseconds, WatchMilliseconds);
    }

    /// <summary>Does work on a new thread and waits for it.</summary>
    /// <exception cref="TimeoutException">KVM does not come back from a guest; the thread is left to the end of the process.</exception>
    internal static T Execute<T>(Func<VirtualProcessorThread, T> work, CancellationToken cancellation)
    {
        var self = new VirtualProcessorThread(cancellation);
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                self.BlockSignal();
                result = work(self);
            }
            catch (Exception exception)
            {
                failure = ExceptionDispatchInfo.Capture(exception);
            }
            finally
            {
                self._ended.Set();
            }
        }) { IsBackground = true, Name = "vCPU" };
        thread.Start();
        while (!self._ended.Wait(WatchMilliseconds * 10, CancellationToken.None))
        {
            if (self.IsStuck())
            {
                throw new TimeoutException("KVM does not come back from the guest, not even for a signal; the vCPU's thread is given up");
            }
        }

        thread.Join();
        self.Dispose();
        failure?.Throw();
        return result;
    }

    /// <summary>Enters the guest until it exits or the limit is over. Cost without the guest: two uncontended locks.</summary>
    internal KvmExit Run(VirtualMachine machine, TimeSpan limit)
    {
        _cancellation.ThrowIfCancellationRequested();
        lock (_gate)
        {
            _running = machine;
            _stopped = false;
            _deadline = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        }

        bool exited = RunUntilExit(machine);
        int error = Marshal.GetLastPInvokeError();
        lock (_gate)
        {
            _running = null;
            _deadline = long.MaxValue;
            if (_stopped)
            {
                DrainSignal();
                machine.RunField<byte>(KvmRunLayout.ImmediateExit) = 0;
            }
        }

        _cancellation.ThrowIfCancellationRequested();
        return exited ? (KvmExit)machine.RunField<uint>(KvmRunLayout.ExitReason)
            : error == SystemCalls.ErrorInterrupted ? KvmExit.TimedOut : KvmExit.RunFailed;
    }

    /// <summary>Lets the signal through while KVM_RUN waits; once for each processor, on this thread.</summary>
    internal static unsafe void Adopt(VirtualMachine machine)
    {
        SignalSet blocked = default;
        _ = SystemCalls.ChangeSignalMask(SystemCalls.SignalMaskBlock, null, &blocked);
        var mask = new KvmSignalMask
        {
            LengthBytes = sizeof(ulong),
            Blocked = blocked[0] & ~SignalSet.Of(SystemCalls.SignalUser1)[0],
        };
        machine.Processor.Control(KvmRequests.SetSignalMask, "KVM_SET_SIGNAL_MASK", ref mask);
    }

    public void Dispose()
    {
        _watchdog.Dispose();
        _ended.Dispose();
    }

    /// <summary>False where it was stopped or failed, with the error as the last P/Invoke error. Other signals just enter it again.</summary>
    private bool RunUntilExit(VirtualMachine machine)
    {
        while (machine.Processor.TryControl(KvmRequests.Run) < 0)
        {
            bool again = Marshal.GetLastPInvokeError() == SystemCalls.ErrorInterrupted
                         && !Volatile.Read(ref _stopped);
            if (!again)
            {
                return false;
            }
        }

        return true;
    }

    private void Watch()
    {
        lock (_gate)
        {
            bool isDue = _running is not null && (Environment.TickCount64 > _deadline || _cancellation.IsCancellationRequested);
            if (isDue)
            {
                // immediate_exit covers a thread that is about to enter; the signal, one that is inside.
                _stopped = true;
                _running!.RunField<byte>(KvmRunLayout.ImmediateExit) = 1;
                _ = SystemCalls.Call(SystemCalls.NumberOfThreadKill, SystemCalls.GetProcessId(), _threadId, SystemCalls.SignalUser1);
            }
        }
    }

    private bool IsStuck()
    {
        lock (_gate)
        {
            return _running is not null && Environment.TickCount64 > _deadline + (long)Grace.TotalMilliseconds;
        }
    }

    private unsafe void BlockSignal()
    {
        SignalSet signal = SignalSet.Of(SystemCalls.SignalUser1);
        _ = SystemCalls.ChangeSignalMask(SystemCalls.SignalMaskBlock, &signal, null);
        _threadId = SystemCalls.Call(SystemCalls.NumberOfGetThreadId, 0, 0, 0);
    }

    private static unsafe void DrainSignal()
    {
        SignalSet signal = SignalSet.Of(SystemCalls.SignalUser1);
        TimeSpecification now = default;
        while (SystemCalls.WaitForSignal(&signal, null, &now) > 0)
        {
        }
    }
}
