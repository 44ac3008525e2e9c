using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;

namespace MemVirt.Core.Sources;

/// <summary>
/// A translation or a fault, two words that travel in registers. First word: bits 51:12 the host page's address, bits 3:0 the
/// rights, bit 4 store-ok, bits 6:5 the leaf level of the effective size, bit 7 whether a fault met a guest table, bits 10:8 the
/// status, bit 11 whether everything cached before must be flushed, bit 52 whether
/// the guest's page is larger than the effective one. Second word: the guest-physical address of the page, or of the access that faulted.
/// </summary>
public readonly struct Translation
{
    private const int StoreOkBit = 1 << 4;
    private const int LevelShift = 5;
    private const int TableAccessBit = 1 << 7;
    private const int StatusShift = 8;
    private const int FlushBit = 1 << 11;
    private const ulong PieceBit = 1UL << 52;
    private readonly ulong _word;

    private Translation(ulong word, ulong gpa)
    {
        _word = word;
        GuestPhysical = gpa;
    }

    /// <summary>How it ended.</summary>
    public TranslationStatus Status => (TranslationStatus)((_word >> StatusShift) & 7);

    /// <summary>The host-physical address of the page, aligned to <see cref="Size"/>.</summary>
    public ulong HostPage => _word & AddressBits.Frame;

    /// <summary>The effective page size: the smaller of the stages'.</summary>
    public PageSize Size => PageSizeExtensions.AtLevel((int)(_word >> LevelShift) & 3);

    /// <summary>The rights of both stages.</summary>
    public AccessRights Rights => (AccessRights)(_word & (ulong)AccessRights.All);

    /// <summary>Whether a store needs no further work: the dirty bit is set, and nobody watches the page.</summary>
    public bool StoreOk => (_word & StoreOkBit) != 0;

    /// <summary>The guest-physical address of the page, or of the access that faulted.</summary>
    public ulong GuestPhysical { get; }

    /// <summary>Whether a second-stage fault met the read of a guest table rather than the access itself.</summary>
    public bool IsTableAccess => (_word & TableAccessBit) != 0;

    /// <summary>Whether the source has removed tables on the way, so that what is cached must be flushed before this is.</summary>
    public bool AsksForFlush => (_word & FlushBit) != 0;

    /// <summary>
    /// Whether the guest's page is larger than <see cref="Size"/>: other pieces of it may be cached, and an invalidation of any
    /// address of the page covers them all (Intel SDM Vol. 3A §4.10.4.1).
    /// </summary>
    public bool IsPiece => (_word & PieceBit) != 0;

    /// <summary>A completed translation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Translation Completed(ulong hostPage, ulong guestPage, int leafLevel, AccessRights rights, bool storeOk, bool isPiece = false)
        => new((isPiece ? PieceBit : 0) | hostPage | (ulong)rights | (storeOk ? StoreOkBit : 0UL) | ((ulong)leafLevel << LevelShift), guestPage);

    /// <summary>A fault at a guest-physical address; 0 where the fault is the guest's own.</summary>
    public static Translation Fault(TranslationStatus status, ulong gpa = 0, bool isTableAccess = false)
        => new(((ulong)status << StatusShift) | (isTableAccess ? TableAccessBit : 0UL), gpa);

    /// <summary>A completed translation's first word, for a TLB to keep.</summary>
    internal ulong Payload => _word & ~(ulong)FlushBit;

    /// <summary>A completed translation from a TLB's payload; the guest-physical address is not kept.</summary>
    internal static Translation FromPayload(ulong payload) => new(payload, 0);

    /// <summary>The same translation for a 4 KiB piece of the page; the size stays the mapping's.</summary>
    internal Translation AtPiece(ulong hostPiece) => new((_word & ~AddressBits.Frame) | hostPiece, GuestPhysical);

    /// <summary>The same translation of a page that the guest maps as part of a larger one.</summary>
    internal Translation AsPiece() => new(_word | PieceBit, GuestPhysical);

    /// <summary>The same outcome, asking for a flush.</summary>
    internal Translation AfterFlush() => new(_word | FlushBit, GuestPhysical);
}
