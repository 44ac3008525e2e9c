using MemVirt.Core.Addresses;

namespace MemVirt.Core.Memory;

/// <summary>
/// A guest's physical memory: what it holds, by guest-physical address, and the host pages that back it, one size for all. A page that
/// is backed is the host's page; what it held before is moved there.
/// </summary>
public sealed class GuestMemory : IDisposable
{
    private const int FrameBytes = 4096;
    private readonly SparseMemory _host;
    private readonly FrameAllocator _hostFrames;
    private readonly int _backingShift;
    private readonly FrameMap _backing = new(defaultWord: 0);

    /// <summary>What pages that are not backed hold, by guest-physical address.</summary>
    private readonly SparseMemory _unbacked;

    /// <summary>Guest memory backed by <paramref name="host"/> in pages of one size from <paramref name="hostFrames"/>.</summary>
    public GuestMemory(SparseMemory host, FrameAllocator hostFrames, PageSize backingSize)
    {
        _host = host;
        _hostFrames = hostFrames;
        _backingShift = backingSize.SizeLog2();
        BackingSize = backingSize;
        _unbacked = new SparseMemory(host.LimitBytes, maxFlatBytes: 0);
    }

    /// <summary>The first guest-physical address that cannot be memory.</summary>
    public ulong LimitBytes => _unbacked.LimitBytes;

    /// <summary>Bytes that it takes to find what backs each page: see the cost a page in docs/performance.md.</summary>
    public long BackingMapBytes => (long)_backing.Bytes;

    /// <summary>The size of the host pages behind the guest.</summary>
    public PageSize BackingSize { get; }

    /// <summary>Reads the aligned 64-bit word at a guest-physical address, backed or not.</summary>
    public ulong Read(ulong gpa) => TryResolve(gpa, out ulong hpa) ? _host.Read(hpa) : _unbacked.Read(gpa);

    /// <summary>Writes the aligned 64-bit word at a guest-physical address, backed or not.</summary>
    /// <exception cref="InvalidOperationException">The address lies past the memory's limit.</exception>
    public void Write(ulong gpa, ulong value) => Holder(ref gpa).Write(gpa, value);

    /// <summary>Sets bits of the aligned word at a guest-physical address, backed or not, atomically.</summary>
    /// <exception cref="InvalidOperationException">The address lies past the memory's limit.</exception>
    public void SetBits(ulong gpa, ulong bits) => Holder(ref gpa).SetBits(gpa, bits);

    /// <summary>Replaces the word at a guest-physical address where it holds what is expected, atomically; returns whether it did.</summary>
    /// <exception cref="InvalidOperationException">The address lies past the memory's limit.</exception>
    public bool TryReplace(ulong gpa, ulong expected, ulong replacement) => Holder(ref gpa).TryReplace(gpa, expected, replacement);

    /// <summary>The host-physical address behind a guest-physical one; false where it is not backed.</summary>
    public bool TryResolve(ulong gpa, out ulong hpa)
    {
        ulong backing = _backing[gpa >> _backingShift];
        hpa = (backing & ~1UL) | (gpa & PageMask);
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
        bytes = Math.Min(last - start, PageMask - (start & PageMask)) + 1;
        (gpa, lengthBytes) = (start + bytes, last - start + 1 - bytes);
        return true;
    }

    /// <summary>
    /// Backs the page of a guest-physical address with the next host page and returns that page's address. What it holds is moved there;
    /// nobody may use it by guest-physical address meanwhile.
    /// </summary>
    /// <exception cref="InvalidOperationException">The address lies past the memory's limit, or the host's frames are used up.</exception>
    public ulong Back(ulong gpa)
    {
        if (gpa >= LimitBytes)
        {
            Throw.OutOfPhysicalMemory(gpa, LimitBytes);
        }

        ulong hostPage = _hostFrames.Allocate(BackingSize);
        ulong guestPage = gpa & ~PageMask;
        ulong frame = guestPage;
        while (_unbacked.TryFindFrame(ref frame, guestPage | PageMask))
        {
            _unbacked.InFrame(frame, FrameBytes).CopyTo(_host.InFrame(hostPage | (frame & PageMask), FrameBytes));
            _unbacked.RemoveFrame(frame);
        }

        _backing[gpa >> _backingShift] = hostPage | 1;
        return hostPage;
    }

    /// <summary>
    /// Takes the host page behind a guest-physical address away; what the guest's page holds is kept, and <see cref="Back"/> gives it
    /// another. Whoever maps the host page must have forgotten it; nobody may use the page by guest-physical address meanwhile.
    /// Cost: the host page is read.
    /// </summary>
    public void Release(ulong gpa)
    {
        ulong guestPage = gpa & ~PageMask;
        if (!TryResolve(guestPage, out ulong hostPage))
        {
            return;
        }

        for (ulong offset = 0; offset <= PageMask; offset += FrameBytes)
        {
            Span<byte> frame = _host.InFrame(hostPage + offset, FrameBytes);
            if (frame.ContainsAnyExcept((byte)0))
            {
                frame.CopyTo(_unbacked.InFrame(guestPage + offset, FrameBytes));
            }
        }

        _backing[gpa >> _backingShift] = 0;
    }

    /// <summary>The host-physical address behind a guest-physical one, backing its page first where it is not backed.</summary>
    public ulong Resolve(ulong gpa)
        => TryResolve(gpa, out ulong hpa) ? hpa : Back(gpa) | (gpa & PageMask);

    /// <summary>Releases the guest's memory.</summary>
    public void Dispose()
    {
        _unbacked.Dispose();
        _backing.Dispose();
    }

    private ulong PageMask => (1UL << _backingShift) - 1;

    /// <summary>The memory that holds a guest-physical address, and the address there.</summary>
    private SparseMemory Holder(ref ulong gpa)
    {
        if (!TryResolve(gpa, out ulong hpa))
        {
            return _unbacked;
        }

        gpa = hpa;
        return _host;
    }
}
