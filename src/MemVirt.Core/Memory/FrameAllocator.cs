using MemVirt.Core.Addresses;

namespace MemVirt.Core.Memory;

/// <summary>Hands out physical pages by a bump pointer, never twice; what an alignment skips is lost.</summary>
public sealed class FrameAllocator(ulong start, ulong limitBytes)
{
    /// <summary>The next free address.</summary>
    public ulong Next { get; private set; } = start;

    /// <summary>The physical address of a new page, aligned to its size.</summary>
    /// <exception cref="InvalidOperationException">The page would lie past the limit.</exception>
    public ulong Allocate(PageSize size)
    {
        ulong bytes = size.SizeBytes();
        ulong page = (Next + bytes - 1) & ~(bytes - 1);
        if (page + bytes > limitBytes)
        {
            Throw.OutOfPhysicalMemory(page + bytes, limitBytes);
        }

        Next = page + bytes;
        return page;
    }
}
