using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Memory;

namespace MemVirt.Core;

/// <summary>
/// Memory as software behind an MMU sees it: values and bytes at guest-virtual addresses. Details of a fault come from
/// <see cref="Mmu.TranslateBeyondFront"/> for the address that is told. As safe for concurrent use as its MMU: one thread.
/// </summary>
/// <param name="mmu">Translates.</param>
/// <param name="memory">Host memory, where the pages lie.</param>
public sealed class GuestVirtualMemory(Mmu mmu, SparseMemory memory)
{
    private const int PageBytes = 4096;

    /// <summary>Reads a value of at most 4 KiB, aligned or not; one that is aligned and of at most 8 bytes is read at once.</summary>
    /// <param name="gva">The first byte's address.</param>
    /// <param name="value">The value; the default where the access faults.</param>
    /// <returns><see cref="TranslationStatus.Ok"/>, or why the first page that faults does.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // the hit path: bench GuestMemoryBenchmarks
    public TranslationStatus Read<T>(GuestVirtualAddress gva, out T value)
        where T : unmanaged
    {
        if (gva.OffsetIn(PageSize.Size4K) > (ulong)(PageBytes - Unsafe.SizeOf<T>()))
        {
            return ReadAcross(gva, out value);
        }

        TranslationStatus status = mmu.Translate(gva, MemoryAccess.Read, out HostPhysicalAddress hpa);
        value = status == TranslationStatus.Ok ? Unsafe.ReadUnaligned<T>(in memory.ToRead(hpa.Value)) : default;
        return status;
    }

    /// <summary>Writes a value of at most 4 KiB, aligned or not; where it crosses into a page that faults, nothing is written.</summary>
    /// <param name="gva">The first byte's address.</param>
    /// <param name="value">The value.</param>
    /// <returns><see cref="TranslationStatus.Ok"/>, or why the first page that faults does.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // the hit path: bench GuestMemoryBenchmarks
    public TranslationStatus Write<T>(GuestVirtualAddress gva, T value)
        where T : unmanaged
    {
        if (gva.OffsetIn(PageSize.Size4K) > (ulong)(PageBytes - Unsafe.SizeOf<T>()))
        {
            return WriteAcross(gva, value);
        }

        TranslationStatus status = mmu.Translate(gva, MemoryAccess.Write, out HostPhysicalAddress hpa);
        if (status == TranslationStatus.Ok)
        {
            Unsafe.WriteUnaligned(ref memory.ToWrite(hpa.Value), value);
        }

        return status;
    }

    /// <summary>Copies bytes out of the guest, page by page, up to the first page that faults.</summary>
    /// <param name="gva">The first byte's address.</param>
    /// <param name="destination">Where to.</param>
    /// <param name="done">Bytes copied; the address that far on is the one that faults.</param>
    /// <returns><see cref="TranslationStatus.Ok"/> where all were copied; <see cref="TranslationStatus.NotCanonical"/> past the last address.</returns>
    public TranslationStatus Read(GuestVirtualAddress gva, Span<byte> destination, out int done)
    {
        done = 0;
        while (done < destination.Length)
        {
            TranslationStatus status = Next(gva, done, destination.Length, MemoryAccess.Read, out ulong hpa, out int length);
            if (status != TranslationStatus.Ok)
            {
                return status;
            }

            memory.InFrame(hpa, length).CopyTo(destination[done..]);
            done += length;
        }

        return TranslationStatus.Ok;
    }

    /// <summary>Copies bytes into the guest, page by page, up to the first page that faults.</summary>
    /// <param name="gva">The first byte's address.</param>
    /// <param name="source">Where from.</param>
    /// <param name="done">Bytes copied; the address that far on is the one that faults.</param>
    /// <returns><see cref="TranslationStatus.Ok"/> where all were copied; <see cref="TranslationStatus.NotCanonical"/> past the last address.</returns>
    public TranslationStatus Write(GuestVirtualAddress gva, ReadOnlySpan<byte> source, out int done)
    {
        done = 0;
        while (done < source.Length)
        {
            TranslationStatus status = Next(gva, done, source.Length, MemoryAccess.Write, out ulong hpa, out int length);
            if (status != TranslationStatus.Ok)
            {
                return status;
            }

            source.Slice(done, length).CopyTo(memory.InFrame(hpa, length));
            done += length;
        }

        return TranslationStatus.Ok;
    }

    /// <summary>Translates the page in which the next bytes lie; tells how many of them do.</summary>
    private TranslationStatus Next(GuestVirtualAddress gva, int done, int total, MemoryAccess access, out ulong hpa, out int length)
    {
        length = Math.Min(total - done, PageBytes - (int)((gva.Value + (ulong)done) & (PageBytes - 1)));
        hpa = 0;
        if (!gva.TryAdd((ulong)done, out GuestVirtualAddress next))
        {
            return TranslationStatus.NotCanonical;
        }

        TranslationStatus status = mmu.Translate(next, access, out HostPhysicalAddress found);
        hpa = found.Value;
        return status;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private unsafe TranslationStatus ReadAcross<T>(GuestVirtualAddress gva, out T value)
        where T : unmanaged
    {
        value = default;
        T read;
        TranslationStatus status = Read(gva, new Span<byte>(&read, sizeof(T)), out _);
        value = status == TranslationStatus.Ok ? read : default;
        return status;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private unsafe TranslationStatus WriteAcross<T>(GuestVirtualAddress gva, T value)
        where T : unmanaged
    {
        // Both pages before the first byte: an instruction that faults has done nothing.
        TranslationStatus first = Next(gva, 0, sizeof(T), MemoryAccess.Write, out ulong firstHpa, out int inFirst);
        if (first != TranslationStatus.Ok)
        {
            return first;
        }

        TranslationStatus second = Next(gva, inFirst, sizeof(T), MemoryAccess.Write, out ulong secondHpa, out int inSecond);
        if (second != TranslationStatus.Ok)
        {
            return second;
        }

        var bytes = new ReadOnlySpan<byte>(&value, sizeof(T));
        bytes[..inFirst].CopyTo(memory.InFrame(firstHpa, inFirst));
        bytes[inFirst..].CopyTo(memory.InFrame(secondHpa, inSecond));
        return TranslationStatus.Ok;
    }
}
