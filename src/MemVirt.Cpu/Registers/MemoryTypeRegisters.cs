using MemVirt.Core.MemoryTypes;
using MemVirt.Cpu.Loading;

namespace MemVirt.Cpu;

/// <summary>
/// The MSRs of the memory type ranges (Intel SDM Vol. 3A §11.11): eight variable ranges and the fixed ones, as a PC's firmware leaves them.
/// They are kept and checked; caches that they would steer are not emulated.
/// </summary>
internal sealed class MemoryTypeRegisters
{
    private const uint Capabilities = 0xFE;
    private const uint FirstVariable = 0x200;
    private const uint DefaultType = 0x2FF;
    private const uint Fixed64K = 0x250;
    private const uint Fixed16KLow = 0x258;
    private const uint Fixed16KHigh = 0x259;
    private const uint FirstFixed4K = 0x268;
    private const uint LastFixed4K = 0x26F;
    private const int Variables = 8;
    private const ulong WriteCombiningSupported = 1 << 10;
    private const ulong FixedSupported = 1 << 8;
    private const ulong Enable = 1 << 11;
    private const ulong FixedEnable = 1 << 10;
    private const ulong EveryField = 0x0101_0101_0101_0101;
    private readonly MtrrRange[] _variable = new MtrrRange[Variables];
    private readonly ulong[] _fixed = new ulong[MtrrFixedRanges.RegisterCount];
    private readonly int _physicalAddressBits;
    private ulong _defaultType = Enable | FixedEnable | (ulong)MemoryType.WriteBack;

    /// <summary>RAM write-back, video memory and what lies between the RAM and 4 GiB uncached, the firmware's own write-protected.</summary>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    internal MemoryTypeRegisters(int physicalAddressBits)
    {
        _physicalAddressBits = physicalAddressBits;
        _fixed[0] = _fixed[1] = (ulong)MemoryType.WriteBack * EveryField;
        _fixed.AsSpan(3).Fill((ulong)MemoryType.WriteProtected * EveryField);
        _variable[0] = MtrrRange.Of(
            GuestMemoryMap.HoleStart, GuestMemoryMap.HighStart - GuestMemoryMap.HoleStart, MemoryType.Uncacheable, physicalAddressBits);
    }

    /// <summary>Reads one; false where it is none of these.</summary>
    internal bool TryRead(uint number, out ulong value)
    {
        switch (number)
        {
            case Capabilities:
                value = Variables | FixedSupported | WriteCombiningSupported;
                return true;
            case DefaultType:
                value = _defaultType;
                return true;
            case >= FirstVariable and < FirstVariable + (2 * Variables):
                MtrrRange range = _variable[(number - FirstVariable) / 2];
                value = (number & 1) == 0 ? range.Base : range.Mask;
                return true;
            default:
                int index = FixedIndex(number);
                value = index < 0 ? 0 : _fixed[index];
                return index >= 0;
        }
    }

    /// <summary>Writes one; false where it is none of these, or the value has a reserved bit or type (§11.11.2): #GP(0).</summary>
    internal bool TryWrite(uint number, ulong value)
    {
        switch (number)
        {
            case DefaultType:
                bool isType = (value & ~(Enable | FixedEnable | 0xFF)) == 0 && MemoryTypeEncodings.IsRangeType((byte)value);
                _defaultType = isType ? value : _defaultType;
                return isType;
            case >= FirstVariable and < FirstVariable + (2 * Variables):
                ref MtrrRange range = ref _variable[(number - FirstVariable) / 2];
                MtrrRange changed = (number & 1) == 0 ? range with { Base = value } : range with { Mask = value };
                bool isWritable = changed.IsWritable(_physicalAddressBits);
                range = isWritable ? changed : range;
                return isWritable;
            default:
                int index = FixedIndex(number);
                if (index < 0 || !AreTypes(value))
                {
                    return false;
                }

                _fixed[index] = value;
                return true;
        }
    }

    private static int FixedIndex(uint number) => number switch
    {
        Fixed64K => 0,
        Fixed16KLow => 1,
        Fixed16KHigh => 2,
        >= FirstFixed4K and <= LastFixed4K => 3 + (int)(number - FirstFixed4K),
        _ => -1,
    };

    private static bool AreTypes(ulong value)
    {
        for (; value != 0; value >>= 8)
        {
            if (!MemoryTypeEncodings.IsRangeType((byte)value))
            {
                return false;
            }
        }

        return true;
    }
}
