using System.Runtime.CompilerServices;

namespace MemVirt.Core.Registers;

/// <summary>
/// How a pointer becomes a linear address under given registers: linear-address masking, then the canonicality check (Intel SDM
/// Vol. 1 §3.3.7.1, ISE reference "Linear Address Masking"; AMD APM Vol. 2 §5.3.1), or truncation to 32 bits outside long mode.
/// Made once for a state of CR0, CR3, CR4 and EFER; a use allocates nothing and reads no register.
/// </summary>
public readonly record struct LinearAddressRules
{
    private const int FourLevelShift = 64 - 48;
    private const int FiveLevelShift = 64 - 57;
    private const ulong TopBit = 1UL << 63;

    // Bits of sign extension above a canonical address: 16 or 7; 0, by which all pass, outside long mode.
    private readonly byte _shift;

    // How many upper bits LAM gives to metadata, bit 63 included, for data pointers with bit 63 clear and set; 0: LAM is off.
    private readonly byte _userMetadata;
    private readonly byte _supervisorMetadata;

    // Whether nothing but the check is left to do, for fetches and for data.
    private readonly bool _plainFetch;
    private readonly bool _plainData;

    /// <summary>
    /// The rules under these registers. Compatibility mode is the caller's: CS.L is no paging register, and its linear addresses
    /// have 32 bits already.
    /// </summary>
    public LinearAddressRules(in PagingRegisters registers)
    {
        PagingMode mode = registers.Mode;
        if (mode is not (PagingMode.FourLevel or PagingMode.FiveLevel))
        {
            this = default;
            return;
        }

        _shift = mode == PagingMode.FiveLevel ? (byte)FiveLevelShift : (byte)FourLevelShift;
        _userMetadata = UserMetadata(registers.Cr3);
        _supervisorMetadata = (registers.Cr4 & Cr4.LinearAddressMaskingSupervisor) != 0 ? _shift : (byte)0;
        _plainFetch = true;
        _plainData = _userMetadata == 0 && _supervisorMetadata == 0;
    }

    /// <summary>
    /// The linear address of a pointer; false where it is not canonical: #GP(0), or #SS(0) for a stack access (Intel SDM Vol. 1
    /// §3.3.7.1). A load, two shifts and two compares unless LAM is on or the mode is older than long mode.
    /// </summary>
    /// <param name="pointer">The effective address plus the segment's base.</param>
    /// <param name="dataAccess">False for fetches and for targets of branches: LAM leaves those alone.</param>
    /// <param name="linear">What is translated; the pointer as masked where the answer is false.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // stands before each hit of the benchmark "front hit", which takes 2 ns
    public bool TryCanonicalize(ulong pointer, bool dataAccess, out ulong linear)
    {
        linear = (dataAccess ? _plainData : _plainFetch) ? pointer : Prepare(pointer, dataAccess);
        return (ulong)((long)(linear << _shift) >> _shift) == linear;
    }

    /// <summary>The same for registers at hand; whoever asks often makes the rules once.</summary>
    public static bool TryCanonicalize(ulong pointer, in PagingRegisters registers, bool dataAccess, out ulong linear)
        => new LinearAddressRules(registers).TryCanonicalize(pointer, dataAccess, out linear);

    // LAM_U57 wins over LAM_U48, whatever the paging mode.
    private static byte UserMetadata(ulong cr3)
        => (cr3 & Cr3.LinearAddressMaskingUser57) != 0 ? (byte)FiveLevelShift
            : (cr3 & Cr3.LinearAddressMaskingUser48) != 0 ? (byte)FourLevelShift
            : (byte)0;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ulong Prepare(ulong pointer, bool dataAccess)
    {
        if (!_plainFetch)
        {
            return (uint)pointer;
        }

        // Metadata gives way to copies of the highest bit below it; bit 63 itself stays and chooses the class. Only data gets here.
        System.Diagnostics.Debug.Assert(dataAccess, "Fetches need no more than the check in long mode.");
        int metadata = (pointer & TopBit) != 0 ? _supervisorMetadata : _userMetadata;
        ulong extended = (ulong)((long)(pointer << metadata) >> metadata);
        return (extended & ~TopBit) | (pointer & TopBit);
    }
}
