using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MemVirt.Core.Access;
using MemVirt.Core.Registers;

namespace MemVirt.Cpu;

/// <content>What an observer hears. Without one it costs a compare an access.</content>
internal sealed unsafe partial class Processor
{
    private const int LogCapacity = 1024;
    private IExecutionObserver? _observer;
    private ulong* _log;
    private int _logged;
    private ulong _observedRetired;
    private int _observedLevel;
    private ulong _lastFetchPage = ulong.MaxValue;

    /// <summary>Who hears of references; set before the run begins, null for nobody.</summary>
    internal IExecutionObserver? Observer
    {
        get => _observer;
        set
        {
            _observer = value;
            if (_log == null && value != null)
            {
                _log = (ulong*)NativeMemory.Alloc(LogCapacity, sizeof(ulong));
            }

            _observedRetired = Retired;
            Space.FaultAnnouncement = value is null ? null : FlushObserved;
        }
    }

    /// <summary>Hands over what was logged.</summary>
    internal void FlushObserved()
    {
        if (_observer is null)
        {
            return;
        }

        // Within a block its instructions count as retired at its start.
        ulong retired = Retired;
        var since = (long)(retired - _observedRetired);
        _observedRetired = retired;
        _observer.References(new ReadOnlySpan<ulong>(_log, _logged), since);
        _logged = 0;
    }

    /// <summary>
    /// Hands over what came before a store that may set a dirty flag, or be the first of several to a guest table: it finds the tables as
    /// they were. What the VMM does to shadow tables it announces itself.
    /// </summary>
    private void BeforeStore(MemoryAccess access)
    {
        if (_observer is not null && access == MemoryAccess.Write)
        {
            FlushObserved();
        }
    }

    /// <summary>Tells of an event, and of what came before it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal void Observe(ExecutionEvent happened)
    {
        if (_observer is not null)
        {
            FlushObserved();
            _observer.Count(happened);
        }
    }

    /// <summary>Control registers or CPL have changed.</summary>
    internal void ObserveRegisters()
    {
        if (_observer is not null)
        {
            FlushObserved();
            _lastFetchPage = ulong.MaxValue;
            PagingRegisters registers = _unit.Registers;
            _observer.Registers(in registers, _unit.PageDirectoryPointers);
        }
    }

    /// <summary>CR3 was loaded.</summary>
    internal void ObserveCr3(ulong value)
    {
        if (_observer is null)
        {
            return;
        }

        ObserveRegisters();
        bool contexts = (_unit.Registers.Cr4 & Cr4.ProcessContextEnable) != 0;
        _observer.LoadedCr3(
            contexts ? (ushort)(value & Cr3.ProcessContextMask) : (ushort)0, contexts && (value & Cr3.NoInvalidation) != 0);
    }

    /// <summary>INVLPG.</summary>
    internal void ObserveInvlpg(ulong linear)
    {
        if (_observer is not null)
        {
            FlushObserved();
            _lastFetchPage = ulong.MaxValue;
            _observer.Invalidated(linear);
            _observer.Count(ExecutionEvent.Invlpg);
        }
    }

    /// <summary>Everything was invalidated.</summary>
    internal void ObserveInvalidateAll()
    {
        if (_observer is not null)
        {
            FlushObserved();
            _lastFetchPage = ulong.MaxValue;
            _observer.InvalidatedAll();
        }
    }

    /// <summary>Tells of the elements of a string instruction that were done at once: a load and a store each, or a store.</summary>
    /// <param name="source">The linear address of the first load; null for none.</param>
    /// <param name="destination">Of the first store.</param>
    /// <param name="elementBytes">An element's size.</param>
    /// <param name="count">How many.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal void LogEach(ulong? source, ulong destination, int elementBytes, long count)
    {
        for (long i = 0; i < count; i++)
        {
            ulong offset = (ulong)(i * elementBytes);
            if (source is { } from)
            {
                Log(from + offset, elementBytes, MemoryAccess.Read);
            }

            Log(destination + offset, elementBytes, MemoryAccess.Write);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Log(ulong linear, int sizeBytes, MemoryAccess access)
    {
        const ulong AddressMask = (1UL << 48) - 1;
        ulong kind = access == MemoryAccess.Fetch ? 0UL : access == MemoryAccess.Read ? 1UL : 2UL;
        if (access == MemoryAccess.Fetch)
        {
            ulong page = linear >> 12;
            if (page == _lastFetchPage)
            {
                return;
            }

            _lastFetchPage = page;
        }

        _log[_logged++] = (linear & AddressMask) | (kind << 48) | ((ulong)(uint)sizeBytes << 50);
        if (_logged == LogCapacity)
        {
            FlushObserved();
        }
    }
}
