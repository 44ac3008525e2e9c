using MemVirt.Core.Formats;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Explain;

/// <summary>Which references before one have touched its page, and the regions around it that walk caches stand for.</summary>
internal sealed class TouchHistory(ulong address, bool isFetch)
{
    private const ulong LastPageMask = MemoryReference.AddressMask & ~0xFFFUL;
    private const int Levels = 4;
    private readonly long[] _last = new long[Levels];
    private readonly long[] _lastOfKind = new long[Levels];

    /// <summary>The latest reference that touched the 4 KiB, 2 MiB, 1 GiB or 512 GiB around the address (levels 0 to 3); 0 for none.</summary>
    internal long Last(int level) => _last[level];

    /// <summary>The same of fetches, or of data where it is not a fetch.</summary>
    internal long LastOfKind(int level) => _lastOfKind[level];

    /// <summary>Takes references into account, of which the first has this number.</summary>
    internal void Add(ReadOnlySpan<MemoryReference> references, long number)
    {
        foreach (MemoryReference reference in references)
        {
            ulong start = reference.LinearAddress48;
            Touch(start, reference.Kind, number);
            if (reference.CrossesPage)
            {
                Touch((start + (ulong)reference.SizeBytes - 1) & LastPageMask, reference.Kind, number);
            }

            number++;
        }
    }

    /// <summary>Takes one translation into account.</summary>
    internal void Touch(ulong touched, ReferenceKind kind, long number)
    {
        ulong difference = touched ^ address;
        for (int level = Levels - 1; level >= 0 && difference >> TableGeometry.ShiftOf(level) == 0; level--)
        {
            _last[level] = number;
            if ((kind == ReferenceKind.Fetch) == isFetch)
            {
                _lastOfKind[level] = number;
            }
        }
    }
}
