using System.Runtime.CompilerServices;
using MemVirt.Core.Access;
using MemVirt.Core.Formats;

namespace MemVirt.Core.Stages;

/// <summary>How EPT or NPT judges an access and reports a fault, by capabilities and controls.</summary>
public sealed class SecondStageRules
{
    private const ulong LinearAddressValid = 1UL << 7;
    private const ulong FinalAccess = 1UL << 8;
    private const ulong ShadowStackAccess = 1UL << 13;
    private const ulong NestedFinalAccess = 1UL << 32;
    private const ulong NestedTableAccess = 1UL << 33;
    private const int RightsMask = (int)AccessRights.Unrestricted;
    private readonly byte[] _effective = new byte[2 * (RightsMask + 1)];
    private readonly EptSettings? _ept;
    private readonly bool _fetchIsReported;
    private readonly bool _guestModeExecuteTrap;

    private SecondStageRules(EntryRules entries, EptSettings? ept, NptSettings? npt)
    {
        Entries = entries;
        _ept = ept;
        _guestModeExecuteTrap = npt is { GuestModeExecuteTrap: true };
        _fetchIsReported = npt is { NoExecute: true } or { GuestModeExecuteTrap: true };
        TableAccess = ept is { AccessedAndDirty: false } ? AccessRights.Read : AccessRights.Read | AccessRights.Write;
        SubPageTableRoot = ept is { SubPageWrite: true } ? ept.SubPageTableRoot : null;
        for (int index = 0; index < _effective.Length; index++)
        {
            _effective[index] = (byte)EffectiveOf((AccessRights)(index & RightsMask), isUserAddress: index > RightsMask);
        }
    }

    /// <summary>What is made of entries.</summary>
    public EntryRules Entries { get; }

    /// <summary>
    /// What the read of a guest's table entry needs: a write too where accessed flags are kept, for the walk may have to set the
    /// entry's (Intel SDM Vol. 3C §28.3.3.2, AMD APM Vol. 2 §15.25.5).
    /// </summary>
    public AccessRights TableAccess { get; }

    /// <summary>Where sub-page write permissions are on, their root table.</summary>
    public ulong? SubPageTableRoot { get; }

    /// <summary>EPT under these settings.</summary>
    public static SecondStageRules Ept(EptSettings settings) => new(EptFormat.RulesFor(settings), settings, null);

    /// <summary>NPT under these settings.</summary>
    public static SecondStageRules Npt(NptSettings settings) => new(NptFormat.RulesFor(settings), null, settings);

    /// <summary>The rules of a format with every feature and no optional control.</summary>
    public static SecondStageRules DefaultOf<TFormat>()
        where TFormat : struct, IPageTableFormat
        => TFormat.IsExtendedPageTable ? Ept(EptSettings.Default) : Npt(NptSettings.Default);

    /// <summary>
    /// The rights of a walk as they bind accesses of a linear address: execute for fetches below CPL 3, user-execute for those at
    /// CPL 3, both decided by the address's mode under mode-based execute control, and by CPL under GMET.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every second-stage walk: bench WalkBenchmarks
    internal AccessRights Effective(AccessRights walked, bool isUserAddress)
        => (AccessRights)_effective[((int)walked & RightsMask) + (isUserAddress ? RightsMask + 1 : 0)];

    private AccessRights EffectiveOf(AccessRights walked, bool isUserAddress)
    {
        const AccessRights Both = AccessRights.Execute | AccessRights.UserExecute;
        if (_guestModeExecuteTrap)
        {
            bool isUserPage = (walked & AccessRights.User) != 0;
            bool mayExecute = (walked & AccessRights.Execute) != 0;
            walked &= ~Both & ~(isUserPage ? 0 : AccessRights.Read | AccessRights.Write);
            return !mayExecute ? walked : walked | (isUserPage ? AccessRights.UserExecute : AccessRights.Execute);
        }

        if (_ept is null && (walked & AccessRights.User) == 0)
        {
            return AccessRights.None;
        }

        AccessRights decides = isUserAddress && _ept is { ModeBasedExecute: true } ? AccessRights.UserExecute : AccessRights.Execute;
        return (walked & ~Both) | ((walked & decides) != 0 ? Both : 0);
    }

    /// <summary>The exit qualification of an EPT violation, or EXITINFO1 of a nested page fault.</summary>
    internal ulong FaultCode(AccessRights needed, AccessRights walked, bool isTable, bool isPresent, bool isReserved)
    {
        ulong access = (ulong)(needed & (AccessRights.Read | AccessRights.Write | AccessRights.Execute));
        if (_ept is not null)
        {
            ulong granted = (ulong)(walked & (AccessRights.Read | AccessRights.Write | AccessRights.Execute)) << 3;
            bool userExecute = _ept.ModeBasedExecute && (walked & AccessRights.UserExecute) != 0;
            return access | granted | (userExecute ? 1UL << 6 : 0) | LinearAddressValid | (isTable ? 0 : FinalAccess);
        }

        bool isFetch = (needed & AccessRights.Execute) != 0;
        bool isSupervisor = _guestModeExecuteTrap && isFetch && !isTable && (needed & AccessRights.User) == 0;
        PageFaultErrorCode code = (isPresent ? PageFaultErrorCode.Present : 0)
                                  | ((needed & AccessRights.Write) != 0 ? PageFaultErrorCode.Write : 0)
                                  | (isSupervisor ? 0 : PageFaultErrorCode.User)
                                  | (isReserved ? PageFaultErrorCode.ReservedBit : 0)
                                  | (isFetch && _fetchIsReported ? PageFaultErrorCode.InstructionFetch : 0);
        return (ulong)code | (isTable ? NestedTableAccess : NestedFinalAccess);
    }

    /// <summary>
    /// A shadow-stack access: bit 13 of the exit qualification, bit 6 of EXITINFO1. Bits 11:9 of the exit qualification: user-mode
    /// address, writable, execute-disabled (SDM Vol. 3C table 27-7).
    /// </summary>
    internal ulong DescribeLinearAddress(AccessRights guestRights, AccessRights needed)
    {
        bool isShadowStack = (needed & AccessRights.ShadowStack) != 0;
        if (_ept is null)
        {
            return isShadowStack ? (ulong)PageFaultErrorCode.ShadowStack : 0;
        }

        return (isShadowStack ? ShadowStackAccess : 0) | (_ept.AdvancedExitInformation ? Advanced(guestRights) : 0);
    }

    private static ulong Advanced(AccessRights guestRights)
        => ((guestRights & AccessRights.User) != 0 ? 1UL << 9 : 0)
           | ((guestRights & AccessRights.Write) != 0 ? 1UL << 10 : 0)
           | ((guestRights & AccessRights.Execute) == 0 ? 1UL << 11 : 0);
}
