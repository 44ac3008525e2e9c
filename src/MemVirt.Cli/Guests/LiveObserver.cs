using System.Runtime.InteropServices;
using MemVirt.Core.Registers;
using MemVirt.Cpu;
using MemVirt.Simulation.Live;
using MemVirt.Simulation.Traces;

namespace MemVirt.Cli.Guests;

/// <summary>Hands what a running guest does to the comparisons, one a machine.</summary>
internal sealed class LiveObserver(IReadOnlyList<LiveComparison> comparisons) : IExecutionObserver
{
    private readonly LiveComparison[] _comparisons = [.. comparisons];

    /// <summary>References and instructions so far.</summary>
    public long References { get; private set; }

    void IExecutionObserver.References(ReadOnlySpan<ulong> references, long instructions)
    {
        References += references.Length + instructions;
        ReadOnlySpan<MemoryReference> packed = MemoryMarshal.Cast<ulong, MemoryReference>(references);
        foreach (LiveComparison comparison in _comparisons)
        {
            comparison.Run(packed, instructions);
        }
    }

    public void Registers(in PagingRegisters registers, PageDirectoryPointers pointers)
    {
        foreach (LiveComparison comparison in _comparisons)
        {
            comparison.Load(in registers, pointers);
        }
    }

    public void LoadedCr3(ushort process, bool keeps)
    {
        foreach (LiveComparison comparison in _comparisons)
        {
            comparison.SwitchTo(process, keeps);
        }
    }

    public void Invalidated(ulong linear)
    {
        foreach (LiveComparison comparison in _comparisons)
        {
            comparison.Invalidate(linear);
        }
    }

    public void InvalidatedAll()
    {
        foreach (LiveComparison comparison in _comparisons)
        {
            comparison.InvalidateAll();
        }
    }

    public void Count(ExecutionEvent happened)
    {
        foreach (LiveComparison comparison in _comparisons)
        {
            Count(comparison, happened);
        }
    }

    private static void Count(LiveComparison comparison, ExecutionEvent happened)
    {
        switch (happened)
        {
            case ExecutionEvent.PageFault:
                comparison.CountGuestPageFault();
                break;
            case ExecutionEvent.OwnedControlWrite:
                comparison.CountExit(ExitReason.ControlRegister, nestedToo: true);
                break;
            case ExecutionEvent.ControlAccess:
                comparison.CountExit(ExitReason.ControlRegister, nestedToo: false);
                break;
            case ExecutionEvent.Invlpg:
                comparison.CountExit(ExitReason.Invlpg, nestedToo: false);
                break;
            default:
                comparison.CountExit(ReasonOf(happened), nestedToo: true);
                break;
        }
    }

    private static ExitReason ReasonOf(ExecutionEvent happened) => happened switch
    {
        ExecutionEvent.Io => ExitReason.Io,
        ExecutionEvent.Halt => ExitReason.Halt,
        ExecutionEvent.Cpuid => ExitReason.Cpuid,
        ExecutionEvent.Interrupt => ExitReason.Interrupt,
        ExecutionEvent.Msr => ExitReason.Msr,
        _ => ExitReason.DeviceMemory,
    };
}
