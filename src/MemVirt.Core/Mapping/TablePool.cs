using MemVirt.Core.Addresses;
using MemVirt.Core.Memory;

namespace MemVirt.Core.Mapping;

/// <summary>
/// Tables in host memory, from an allocator, used again once their invalidation was acknowledged. Any thread may take and return.
/// The free tables form a list through their first words: keeping them allocates nothing.
/// </summary>
/// <param name="memory">Where the tables lie.</param>
/// <param name="frames">Hands out the first use of each.</param>
public sealed class TablePool(SparseMemory memory, FrameAllocator frames)
{
    private readonly Lock _list = new();
    private ulong _firstFree;

    /// <summary>Tables that wait to be used again.</summary>
    public int FreeTables { get; private set; }

    /// <summary>The memory that the tables lie in.</summary>
    internal SparseMemory Memory => memory;

    /// <summary>The tables as the editor sees them.</summary>
    public PooledTableSpace Space => new(this);

    /// <summary>Takes back what an acknowledged invalidation released.</summary>
    public void Return(ReusableTables tables)
    {
        PooledTableSpace space = Space;
        lock (_list)
        {
            while (tables.TryTake(ref space, out ulong table))
            {
                memory.Write(table, _firstFree);
                _firstFree = table;
                FreeTables++;
            }
        }
    }

    internal ulong Take()
    {
        lock (_list)
        {
            ulong table = _firstFree;
            if (FreeTables == 0)
            {
                return frames.Allocate(PageSize.Size4K);
            }

            _firstFree = memory.Read(table);
            FreeTables--;
            memory.Write(table, 0);
            return table;
        }
    }
}

/// <summary>Tables of a <see cref="TablePool"/>: native's and the second stage's.</summary>
public readonly struct PooledTableSpace(TablePool pool) : ITableSpace
{
    private readonly SparseMemory _memory = pool.Memory;

    /// <inheritdoc/>
    public ulong Read(ulong entryAddress) => _memory.Read(entryAddress);

    /// <inheritdoc/>
    public void Write(ulong entryAddress, ulong entry, int level) => _memory.Write(entryAddress, entry);

    /// <inheritdoc/>
    public bool TryReplace(ulong entryAddress, ulong expected, ulong replacement, int level)
        => _memory.TryReplace(entryAddress, expected, replacement);

    /// <inheritdoc/>
    public ulong AllocateTable() => pool.Take();
}
