using MemVirt.Core.Formats;
using MemVirt.Core.Mapping;

namespace MemVirt.Core.Tests.Mapping;

/// <summary>
/// A table space in which, just before one chosen operation of the editor, a processor writes to the page that the operation's
/// entry maps, or to one that lies some entries before it.
/// </summary>
internal readonly struct InterferingSpace<TFormat>(EditorBed<TFormat> bed, InterferingSpace<TFormat>.Plan plan) : ITableSpace
    where TFormat : struct, IPageTableFormat
{
    private readonly PooledTableSpace _inner = bed.Pool.Space;

    public ulong Read(ulong entryAddress)
    {
        plan.Step(bed, entryAddress);
        return _inner.Read(entryAddress);
    }

    public void Write(ulong entryAddress, ulong entry, int level)
    {
        plan.Step(bed, entryAddress);
        _inner.Write(entryAddress, entry, level);
    }

    public bool TryReplace(ulong entryAddress, ulong expected, ulong replacement, int level)
    {
        plan.Step(bed, entryAddress);
        return _inner.TryReplace(entryAddress, expected, replacement, level);
    }

    public ulong AllocateTable() => _inner.AllocateTable();

    /// <summary>When to interfere, and what came of it.</summary>
    internal sealed class Plan(ulong region, int step, int entriesBefore)
    {
        private int _steps;

        /// <summary>The address the processor wrote to, where it could.</summary>
        internal ulong? Written { get; private set; }

        /// <summary>Whether the editor came as far as the chosen operation.</summary>
        internal bool IsReached => _steps > step;

        internal void Step(EditorBed<TFormat> bed, ulong entryAddress)
        {
            if (_steps++ == step)
            {
                ulong page = (((entryAddress & 0xFFF) / 8) - (ulong)entriesBefore) & 511;
                ulong address = region + (page << 12);
                Written = bed.Touch(address, TFormat.AccessedBit | TFormat.DirtyBit) ? address : null;
            }
        }
    }
}
