using System.Runtime.CompilerServices;

namespace MemVirt.Simulation.Traces;

/// <summary>
/// Guesses the next reference from what the same instruction did last time, the same on both sides of a file: after a fetch comes
/// the fetch that followed it before, and an instruction's data lie near its last data. What is stored is the difference.
/// </summary>
internal sealed class ReferencePredictor
{
    private const int SlotsLog2 = 13;
    private readonly ulong[] _nextFetch = new ulong[1 << SlotsLog2];
    private readonly ulong[] _nextData = new ulong[1 << SlotsLog2];
    private nint _fetchSlot;

    /// <summary>The place of the guess for a kind: a reference's packed word, kind bits 0. The caller stores what came instead.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every reference decoded
    internal ref ulong Guess(bool fetch) => ref fetch
        ? ref Unsafe.Add(ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(_nextFetch), _fetchSlot)
        : ref Unsafe.Add(ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(_nextData), _fetchSlot);

    /// <summary>Moves on to a fetched instruction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every reference decoded
    internal void Fetched(ulong address) => _fetchSlot = (nint)((address * 0x9E3779B97F4A7C15) >> (64 - SlotsLog2));
}
