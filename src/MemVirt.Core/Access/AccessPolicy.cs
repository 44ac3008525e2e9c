using System.Runtime.CompilerServices;
using MemVirt.Core.Formats;
using MemVirt.Core.Registers;

namespace MemVirt.Core.Access;

/// <summary>
/// Which accesses the entries of a guest allow under its control registers (Intel SDM Vol. 3A §4.6): a table of all accesses and
/// rights for each value of CR0.WP, CR4.SMEP and CR4.SMAP, so that the check of an access is one lookup. Changed in place when a register
/// changes; no call allocates.
/// </summary>
public sealed class AccessPolicy
{
    private const int AccessKinds = 128;
    private const int RightsMask = 31;
    private static readonly uint[][] Tables =
        [.. Enumerable.Range(0, 8).Select(controls => Table((controls & 1) != 0, (controls & 2) != 0, (controls & 4) != 0))];

    // Bit r of word n says that an access that needs n is denied by a page that grants r.
    private uint[] _denied = Tables[0];
    private uint _userKeys;
    private uint _supervisorKeys;
    private bool _hasKeys;
    private bool _writeProtect;
    private bool _fetchIsReported;

    /// <summary>CR0.WP and EFER.NXE set; SMEP, SMAP, protection keys and shadow stacks off.</summary>
    public AccessPolicy() => Update(new PagingRegisters { Cr0 = Cr0.WriteProtect, Efer = Efer.NoExecuteEnable });

    /// <summary>Whether supervisor mode writes to read-only pages: CR0.WP is 0.</summary>
    public bool SupervisorIgnoresReadOnly => !_writeProtect;

    /// <summary>Follows the control registers, PKRU and IA32_PKRS. Cost: some nanoseconds.</summary>
    public void Update(in PagingRegisters registers)
    {
        PagingMode mode = registers.Mode;
        bool noExecute = (registers.Efer & Efer.NoExecuteEnable) != 0 && mode != PagingMode.Bits32;
        bool smep = mode != PagingMode.None && (registers.Cr4 & Cr4.SupervisorExecutionPrevention) != 0;
        bool smap = mode != PagingMode.None && (registers.Cr4 & Cr4.SupervisorAccessPrevention) != 0;
        _writeProtect = (registers.Cr0 & Cr0.WriteProtect) != 0;
        _fetchIsReported = smep || noExecute;
        UpdateKeys(in registers);
        _denied = Tables[(_writeProtect ? 1 : 0) | (smep ? 2 : 0) | (smap ? 4 : 0)];
    }

    /// <summary>Follows PKRU, IA32_PKRS and the bits of CR4 that switch protection keys on. Cost: some nanoseconds.</summary>
    public void UpdateKeys(in PagingRegisters registers)
    {
        bool longMode = registers.Mode >= PagingMode.FourLevel;
        _userKeys = longMode && (registers.Cr4 & Cr4.ProtectionKeysUser) != 0 ? registers.Pkru : 0;
        _supervisorKeys = longMode && (registers.Cr4 & Cr4.ProtectionKeysSupervisor) != 0 ? registers.Pkrs : 0;
        _hasKeys = (_userKeys | _supervisorKeys) != 0;
    }

    /// <summary>Whether a page that grants <paramref name="rights"/> under a protection key denies the access.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Denies(AccessRights needed, AccessRights rights, int protectionKey)
        => ((_denied[(int)needed & (AccessKinds - 1)] >> ((int)rights & RightsMask)) & 1) != 0
           || (_hasKeys && KeyDenies(needed, rights, protectionKey));

    /// <summary>As <see cref="Denies(AccessRights, AccessRights, int)"/> of a leaf, whose key is looked at only where keys deny anything.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every guest walk: bench WalkBenchmarks
    internal bool DeniesLeaf(AccessRights needed, AccessRights rights, ulong leaf)
        => ((_denied[(int)needed & (AccessKinds - 1)] >> ((int)rights & RightsMask)) & 1) != 0
           || (_hasKeys && KeyDenies(needed, rights, X64FourLevel.ProtectionKey(leaf)));

    /// <summary>The error code of a page fault by an access whose entries were not all present.</summary>
    public PageFaultErrorCode NotPresent(AccessRights needed)
        => ((needed & AccessRights.Write) != 0 ? PageFaultErrorCode.Write : 0)
           | ((needed & AccessRights.User) != 0 ? PageFaultErrorCode.User : 0)
           | ((needed & AccessRights.Execute) != 0 && _fetchIsReported ? PageFaultErrorCode.InstructionFetch : 0)
           | ((needed & AccessRights.ShadowStack) != 0 ? PageFaultErrorCode.ShadowStack : 0);

    /// <summary>The error code of a page fault by an access that met a reserved bit.</summary>
    public PageFaultErrorCode ReservedBit(AccessRights needed)
        => NotPresent(needed) | PageFaultErrorCode.Present | PageFaultErrorCode.ReservedBit;

    /// <summary>The error code of a page fault by an access that the entries deny.</summary>
    public PageFaultErrorCode Protection(AccessRights needed, AccessRights rights, int protectionKey)
        => NotPresent(needed) | PageFaultErrorCode.Present
           | (KeyDenies(needed, rights, protectionKey) ? PageFaultErrorCode.ProtectionKey : 0);

    private static uint[] Table(bool writeProtect, bool smep, bool smap)
    {
        var table = new uint[AccessKinds];
        for (int needed = 0; needed < AccessKinds; needed++)
        {
            for (int rights = 0; rights <= RightsMask; rights++)
            {
                bool allowed = Allows((AccessRights)needed, (AccessRights)rights, writeProtect, smep, smap);
                table[needed] |= allowed ? 0 : 1u << rights;
            }
        }

        return table;
    }

    private static bool Allows(AccessRights needed, AccessRights rights, bool writeProtect, bool smep, bool smap)
    {
        bool user = (needed & AccessRights.User) != 0;
        bool userPage = (rights & AccessRights.User) != 0;
        if ((needed & AccessRights.ShadowStack) != 0)
        {
            return (rights & AccessRights.ShadowStack) != 0 && user == userPage;
        }

        bool isFetch = (needed & AccessRights.Execute) != 0;
        bool isData = (needed & (AccessRights.Read | AccessRights.Write)) != 0;
        if (user && !userPage)
        {
            return false;
        }

        // Without EFER.NXE no valid entry withholds fetches; reads are withheld by a second stage alone.
        if (isFetch && ((rights & AccessRights.Execute) == 0 || (smep && !user && userPage)))
        {
            return false;
        }

        if (isData && smap && !user && userPage && (needed & AccessRights.AlignmentCheck) == 0)
        {
            return false;
        }

        if ((needed & AccessRights.Read & ~rights) != 0)
        {
            return false;
        }

        bool mayWrite = (rights & AccessRights.Write) != 0 || (!user && !writeProtect);
        return (needed & AccessRights.Write) == 0 || mayWrite;
    }

    /// <summary>Intel SDM Vol. 3A §4.6.2: of the key's two bits, the lower denies data, the upper denies writes.</summary>
    private bool KeyDenies(AccessRights needed, AccessRights rights, int protectionKey)
    {
        uint keys = (rights & AccessRights.User) != 0 ? _userKeys : _supervisorKeys;
        uint key = keys >> (2 * protectionKey);
        bool isWrite = (needed & AccessRights.Write) != 0;
        bool isData = isWrite || (needed & AccessRights.Read) != 0;
        bool bindsWrites = _writeProtect || (needed & AccessRights.User) != 0;
        return isData && ((key & 1) != 0 || (isWrite && (key & 2) != 0 && bindsWrites));
    }
}
