using MemVirt.Core.Addresses;

namespace MemVirt.Core.Memory;

/// <summary>
/// A guest's physical memory: what it holds, by guest-physical address, and the host pages that back it, one size for all.
/// Backing a page makes the frames in it readable at their host-physical addresses too; nothing is copied.
/// </summary>
public sealed class GuestMemory : IDisposable
{
    private readonly SparseMemory _content;
    private readonly SparseMemory _host;
    private readonly FrameAllocator _hostFrames;
    private readonly int _backingShift;
    private readonly FrameMap _backing = new(defaultWord: 0);

    /// <summary>Guest memory backed by <paramref name="host"/> in pages of one size from <paramref name="hostFrames"/>.</summary>
    public GuestMemory(SparseMemory host, FrameAllocator hostFrames, PageSize backingSize)
    {
        _host = host;
        _hostFrames = hostFrames;
        _backingShift = backingSize.SizeLog2();
        BackingSize = backingSize;
        _content = new SparseMemory(host.LimitBytes, host);
    }

    /// <summary>The first guest-physical address that cannot be memory.</summary>
    public ulong LimitBytes => _content.LimitBytes;

    /// <summary>The size of the host pages behind the guest.</summary>
    public PageSize BackingSize { get; }

    /// <summary>Reads the aligned 64-bit word at a guest-physical address, backed or not.</summary>
    public ulong Read(ulong gpa) => _content.Read(gpa);

    /// <summary>Writes the aligned 64-bit word at a guest-physical address of a frame that exists.</summary>
    public void Write(ulong gpa, ulong value) => _content.Write(gpa, value);

    /// <summary>Sets bits of the word at a guest-physical address of a frame that exists.</summary>
    public void SetBits(ulong gpa, ulong bits) => _content.SetBits(gpa, bits);

    /// <summary>Replaces the word at a guest-physical address where it holds what is expected, atomically; returns whether it did.</summary>
    public bool TryReplace(ulong gpa, ulong expected, ulong replacement) => _content.TryReplace(gpa, expected, replacement);

    /// <summary>Makes the frame exist, zeroed, so that it can be written; it need not be backed yet.</summary>
    public void EnsureFrame(ulong gpa)
    {
        nint storage = _content.EnsureFrame(gpa);
        if (TryResolve(gpa, out ulong hpa))
        {
            _host.Alias(hpa, storage);
        }
    }

    /// <summary>The host-physical address behind a guest-physical one; false where it is not backed.</summary>
    public bool TryResolve(ulong gpa, out ulong hpa)
    {
        ulong backing = _backing[gpa >> _backingShift];
        hpa = (backing & ~1UL) | (gpa & ((1UL << _backingShift) - 1));
        return backing != 0;
    }

    /// <summary>
    /// Takes the first backed piece, of one host page, from a range; false where the rest of it is not backed. A range that would go
    /// beyond the address space ends with it.
    /// </summary>
    /// <param name="gpa">The range's first address; afterwards, of what is left.</param>
    /// <param name="lengthBytes">The range's length; afterwards, of what is left.</param>
    /// <param name="hpa">The host-physical address of the piece.</param>
    /// <param name="bytes">The piece's length.</param>
    internal bool TryNextBacked(ref ulong gpa, ref ulong lengthBytes, out ulong hpa, out ulong bytes)
    {
        (hpa, bytes) = (0, 0);
        if (lengthBytes == 0)
        {
            return false;
        }

        ulong last = gpa + Math.Min(lengthBytes - 1, ulong.MaxValue - gpa);
        ulong page = gpa >> _backingShift;
        if (!_backing.TryFindNext(ref page, last >> _backingShift))
        {
            return false;
        }

        ulong start = Math.Max(gpa, page << _backingShift);
        TryResolve(start, out hpa);
        bytes = Math.Min(last - start, BackingSize.SizeBytes() - 1 - (start & (BackingSize.SizeBytes() - 1))) + 1;
        (gpa, lengthBytes) = (start + bytes, last - start + 1 - bytes);
        return true;
    }

    /// <summary>Backs the page of a guest-physical address with the next host page and returns that page's address.</summary>
    /// <exception cref="InvalidOperationException">The address lies past the memory's limit, or the host's frames are used up.</exception>
    public ulong Back(ulong gpa)
    {
        if (gpa >= _content.LimitBytes)
        {
            Throw.OutOfPhysicalMemory(gpa, _content.LimitBytes);
        }

        ulong page = gpa >> _backingShift;
        ulong hostPage = _hostFrames.Allocate(BackingSize);
        _backing[page] = hostPage | 1;
        ulong guestPage = page << _backingShift;
        for (ulong offset = 0; offset < BackingSize.SizeBytes(); offset += PageSize.Size4K.SizeBytes())
        {
            nint storage = _content.StorageOf(guestPage + offset);
            if (storage != 0)
            {
                _host.Alias(hostPage + offset, storage);
            }
        }

        return hostPage;
    }

    /// <summary>
    /// Takes the host page behind a guest-physical address away; what the guest's page holds stays, and <see cref="Back"/> gives it
    /// another. Whoever maps the host page must have forgotten it.
    /// </summary>
    public void Release(ulong gpa) => _backing[gpa >> _backingShift] = 0;

    /// <summary>The host-physical address behind a guest-physical one, backing its page first where it is not backed.</summary>
    public ulong Resolve(ulong gpa)
        => TryResolve(gpa, out ulong hpa) ? hpa : Back(gpa) | (gpa & (BackingSize.SizeBytes() - 1));

    /// <summary>Releases the guest's memory.</summary>
    public void Dispose()
    {
        _content.Dispose();
        _backing.Dispose();
    }
}
