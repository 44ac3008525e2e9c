using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.MemoryTypes;

namespace MemVirt.Core.Sources;

/// <summary>
/// A translation or a fault, two words that travel in registers. First word: bits 5:0 the rights, bit 6 store-ok, bits 8:7 the leaf
/// level of the effective size, bit 9 whether the guest's page is larger than that, bit 10 whether it is global, bit 11 whether
/// everything cached before must be flushed, bits 51:12 the host page's address, bits 55:52 the protection key, bits 58:56 the
/// memory type xor 6 (write-back), bits 63:60 the status.
/// Of a fault: bits 51:12 its code, bit 9 whether it may become a #VE, bit 59 whether it met a guest table. Second word: the
/// guest-physical address of the page, or of the access that faulted.
/// </summary>
public readonly struct Translation
{
    private const ulong StoreOkBit = 1UL << 6;
    private const int LevelShift = 7;
    private const ulong PieceBit = 1UL << 9;
    private const ulong ConvertibleBit = 1UL << 9;
    private const int GlobalShift = 10;
    private const int LeafGlobalShift = 8;
    private const ulong FlushBit = 1UL << 11;
    private const int CodeShift = 12;
    private const int KeyShift = 52;
    private const ulong KeyMask = 15UL << KeyShift;
    private const int LeafKeyShift = 59;
    private const int MemoryTypeShift = 56;
    private const ulong TableAccessBit = 1UL << 59;
    private const int StatusShift = 60;
    private readonly ulong _word;

    private Translation(ulong word, ulong gpa)
    {
        _word = word;
        GuestPhysical = gpa;
    }

    /// <summary>How it ended.</summary>
    public TranslationStatus Status => (TranslationStatus)(_word >> StatusShift);

    /// <summary>The host-physical address of the page, aligned to <see cref="Size"/>.</summary>
    public ulong HostPage => _word & AddressBits.Frame;

    /// <summary>The effective page size: the smaller of the stages'.</summary>
    public PageSize Size => PageSizeExtensions.AtLevel((int)(_word >> LevelShift) & 3);

    /// <summary>The rights of both stages, execute being that of supervisor mode.</summary>
    public AccessRights Rights => (AccessRights)(_word & (ulong)(AccessRights.All | AccessRights.ShadowStack));

    /// <summary>Whether a store needs no further work: the dirty flags are set, the second stage allows it, and nobody watches the page.</summary>
    public bool StoreOk => (_word & StoreOkBit) != 0;

    /// <summary>The guest's protection key of the page, 0 to 15 (Intel SDM Vol. 3A §4.6.2).</summary>
    public int ProtectionKey => (int)(_word >> KeyShift) & 15;

    /// <summary>
    /// The effective memory type (<see cref="MemoryTypeRules"/>); write-back where <see cref="GuestRules.MemoryTypes"/> is null.
    /// </summary>
    public MemoryType MemoryType => (MemoryType)((_word >> MemoryTypeShift) & 7) ^ MemoryType.WriteBack;

    /// <summary>Whether the page is global: CR4.PGE and the leaf's G bit (Intel SDM Vol. 3A §4.10.2.4).</summary>
    public bool IsGlobal => (_word >> GlobalShift & 1) != 0;

    /// <summary>The guest-physical address of the page, or of the access that faulted.</summary>
    public ulong GuestPhysical { get; }

    /// <summary>Whether a second-stage fault met the access to a guest table rather than the access itself.</summary>
    public bool IsTableAccess => (_word & TableAccessBit) != 0;

    /// <summary>
    /// What hardware reports of the fault: a page fault's error code (<see cref="PageFaultErrorCode"/>), an EPT violation's exit
    /// qualification, EXITINFO1 of a nested page fault. 0 of a completed translation.
    /// </summary>
    public ulong FaultCode => Status == TranslationStatus.Ok ? 0 : HostPage >> CodeShift;

    /// <summary>Whether the fault is an EPT violation that may become a #VE (Intel SDM Vol. 3C §25.5.7.1).</summary>
    public bool IsConvertible => Status != TranslationStatus.Ok && (_word & ConvertibleBit) != 0;

    /// <summary>Whether the source has removed tables on the way, so that what is cached must be flushed before this is.</summary>
    public bool AsksForFlush => (_word & FlushBit) != 0;

    /// <summary>
    /// Whether the guest's page is larger than <see cref="Size"/>: other pieces of it may be cached, and an invalidation of any
    /// address of the page covers them all (Intel SDM Vol. 3A §4.10.4.1).
    /// </summary>
    public bool IsPiece => Status == TranslationStatus.Ok && (_word & PieceBit) != 0;

    /// <summary>A completed translation's first word, for a TLB to keep.</summary>
    internal ulong Payload => _word & ~FlushBit;

    /// <summary>A completed translation.</summary>
    /// <param name="hostPage">The host page, aligned to the leaf level's size.</param>
    /// <param name="guestPage">The guest-physical page.</param>
    /// <param name="leafLevel">The level of the effective size.</param>
    /// <param name="rights">The rights of both stages.</param>
    /// <param name="storeOk">Whether a store needs no further work.</param>
    /// <param name="isPiece">Whether the guest's page is larger.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Translation Completed(ulong hostPage, ulong guestPage, int leafLevel, AccessRights rights, bool storeOk, bool isPiece = false)
        => new(
            hostPage | (ulong)rights | (storeOk ? StoreOkBit : 0) | ((ulong)leafLevel << LevelShift) | (isPiece ? PieceBit : 0),
            guestPage);

    /// <summary>A fault at a guest-physical address; 0 where the fault is the guest's own.</summary>
    public static Translation Fault(
        TranslationStatus status, ulong gpa = 0, bool isTableAccess = false, ulong code = 0, bool isConvertible = false)
        => new(
            ((ulong)status << StatusShift) | (isTableAccess ? TableAccessBit : 0UL) | (code << CodeShift)
            | (isConvertible ? ConvertibleBit : 0),
            gpa);

    /// <summary>A completed translation from a TLB's payload; the guest-physical address is not kept.</summary>
    internal static Translation FromPayload(ulong payload) => new(payload, 0);

    /// <summary>The rights as they bind a mode: execute is that of the mode.</summary>
    internal AccessRights RightsOf(bool user)
    {
        var rights = (AccessRights)(_word & (ulong)AccessRights.Unrestricted);
        AccessRights userExecute = (rights & AccessRights.UserExecute) != 0 ? AccessRights.Execute : AccessRights.None;
        return user ? (rights & ~AccessRights.Execute) | userExecute : rights;
    }

    /// <summary>The same translation with the guest leaf's key, bits 62:59, and of its bits the G bit where that is looked at, bit 8 or none.</summary>
    internal Translation WithAttributesOf(ulong leaf, ulong globalBit)
        => new(_word | ((leaf >> (LeafKeyShift - KeyShift)) & KeyMask) | ((leaf & globalBit) << (GlobalShift - LeafGlobalShift)), GuestPhysical);

    /// <summary>The same translation with a memory type.</summary>
    internal Translation WithMemoryType(MemoryType type)
        => new(_word | ((ulong)(type ^ MemoryType.WriteBack) << MemoryTypeShift), GuestPhysical);

    /// <summary>The same translation for a 4 KiB piece of the page; the size stays the mapping's.</summary>
    internal Translation AtPiece(ulong hostPiece) => new((_word & ~AddressBits.Frame) | hostPiece, GuestPhysical);

    /// <summary>The same translation of a page that the guest maps as part of a larger one.</summary>
    internal Translation AsPiece() => new(_word | PieceBit, GuestPhysical);

    /// <summary>The same outcome, asking for a flush.</summary>
    internal Translation AfterFlush() => new(_word | FlushBit, GuestPhysical);
}
