using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Core.Tlb;

namespace MemVirt.Core;

/// <summary>
/// A memory-management unit as its processor sees it, whatever translates behind: the front, which answers in one compare, and the
/// calls that a miss, an invalidation or a switch makes. <see cref="Mmu{TSource}"/> is the one there is.
/// </summary>
public abstract class Mmu
{
    private protected readonly DirectTlb _front = new();
    private protected ulong _frontPrefix;

    private protected Mmu()
    {
    }

    /// <summary>The current context.</summary>
    public abstract PagingContext Context { get; }

    /// <summary>Translations that a walk completed.</summary>
    public abstract long Walks { get; }

    /// <summary>
    /// What is withheld of which host frames, so that accesses of those kinds come to <see cref="TranslateBeyondFront"/> each time; null,
    /// as at first, for nothing. Whoever sets it has not translated yet.
    /// </summary>
    public FrameWatch? Watch { get; set; }

    /// <summary>
    /// Translates an address. On success <paramref name="hpa"/> is the host-physical address; else the result is the fault, and
    /// nothing has changed but accessed bits. Cost: one compare on a hit of the front.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // the hit path: bench MmuBenchmarks
    public TranslationStatus Translate(GuestVirtualAddress gva, MemoryAccess access, out HostPhysicalAddress hpa)
    {
        if (TryTranslate(gva, access, out hpa))
        {
            return TranslationStatus.Ok;
        }

        Translation translation = TranslateBeyondFront(gva, access);
        hpa = HostPhysicalAddress.FromValid(translation.HostPage | gva.OffsetIn(PageSize.Size4K));
        return translation.Status;
    }

    /// <summary>Translates an address where the front knows it: one compare. False says nothing of whether the access is allowed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // the hit path: bench MmuBenchmarks
    public bool TryTranslate(GuestVirtualAddress gva, MemoryAccess access, out HostPhysicalAddress hpa)
    {
        ulong tag = DirectTlb.TagOf(gva.PageNumber(PageSize.Size4K), _frontPrefix);
        if (!_front.TryFind(tag, access, out ulong hostPage))
        {
            // Not composed for nothing: what was found would then be kept in a register, and tested a second time.
            hpa = default;
            return false;
        }

        hpa = HostPhysicalAddress.FromValid(hostPage | gva.OffsetIn(PageSize.Size4K));
        return true;
    }

    /// <summary>Translates past the front, with all there is to say of a fault. On success the page is the 4 KiB piece accessed.</summary>
    public abstract Translation TranslateBeyondFront(GuestVirtualAddress gva, MemoryAccess access);

    /// <summary>
    /// Translates for an access of another kind or privilege than the context's: an implicit supervisor access (of a descriptor
    /// table at CPL 3, say), a shadow-stack access. On success the page is the 4 KiB piece accessed.
    /// </summary>
    /// <param name="gva">The linear address.</param>
    /// <param name="needed">
    /// Read, write or execute; with <see cref="AccessRights.User"/> for a user-mode access, with
    /// <see cref="AccessRights.AlignmentCheck"/> for an explicit supervisor access with EFLAGS.AC, with
    /// <see cref="AccessRights.ShadowStack"/> for one of the shadow stack.
    /// </param>
    public abstract Translation TranslateAs(GuestVirtualAddress gva, AccessRights needed);

    /// <summary>
    /// The source's policy of accesses has changed (CR0.WP, CR4.SMEP, SMAP, PKE or PKS, PKRU): what was folded into the front is
    /// forgotten; what the TLB holds is judged anew. Cost: one pass over the front.
    /// </summary>
    public abstract void PolicyChanged();

    /// <summary>Changes the context or the privilege; forgets nothing (MOV CR3 with bit 63 set, VM entry with VPID).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The PCID has more than 12 bits.</exception>
    public abstract void SwitchContext(PagingContext context);

    /// <summary>Changes CPL and EFLAGS.AC. Cost: a few instructions; nothing is forgotten.</summary>
    public abstract void SwitchPrivilege(bool user, bool alignmentCheck);

    /// <summary>Forgets what an invalidation names: the one place where that happens.</summary>
    public abstract void Invalidate(in TlbInvalidation invalidation);

    /// <summary>
    /// Forgets every translation of every context, for the VMM and not for the guest: what a <see cref="Shadow.ShadowPager"/> asks for. Unlike
    /// an invalidation it puts no shadow table in sync.
    /// </summary>
    public abstract void FlushTlb();

    /// <summary>
    /// Withholds accesses to a host frame from now on: what the front holds of it is dropped. Cost: one pass over the front. Other MMUs
    /// that share the <see cref="FrameWatch"/> keep what their fronts hold.
    /// </summary>
    /// <param name="frame">The host-physical address of the frame.</param>
    /// <param name="kinds">Read, write, execute.</param>
    /// <exception cref="InvalidOperationException">There is no <see cref="Watch"/>.</exception>
    public void StartWatching(HostPhysicalAddress frame, AccessRights kinds)
    {
        if (Watch is null)
        {
            Throw.NoWatch();
        }

        Watch.Add(frame.Value, kinds);
        _front.DropFrame(frame.Value & AddressBits.Frame);
    }
}
