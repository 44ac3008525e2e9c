using MemVirt.Core;
using MemVirt.Cpu.Decoding;

namespace MemVirt.Cpu.Execution;

/// <summary>MSRs by number (Intel SDM Vol. 4 ch. 2).</summary>
internal static unsafe class ModelSpecific
{
    private const uint TimeStampCounter = 0x10;
    private const uint FeatureControl = 0x3A;
    private const uint TscAdjust = 0x3B;
    private const uint MicrocodeRevision = 0x8B;
    private const uint SysenterCs = 0x174;
    private const uint SysenterEsp = 0x175;
    private const uint SysenterEip = 0x176;
    private const uint MachineCheckCapabilities = 0x179;
    private const uint MachineCheckStatus = 0x17A;
    private const uint MiscEnable = 0x1A0;
    private const uint PageAttributeTable = 0x277;
    private const uint EferNumber = 0xC000_0080;
    private const uint Star = 0xC000_0081;
    private const uint LongStar = 0xC000_0082;
    private const uint CompatibilityStar = 0xC000_0083;
    private const uint SystemCallMask = 0xC000_0084;
    private const uint FsBase = 0xC000_0100;
    private const uint GsBase = 0xC000_0101;
    private const uint KernelGsBase = 0xC000_0102;
    private const uint TscAux = 0xC000_0103;

    /// <summary>Tells of an access to an MSR that a VMM does not let through: KVM passes those below by its bitmap.</summary>
    public static void Observe(Processor processor, uint number)
    {
        if (number is not (SysenterCs or SysenterEsp or SysenterEip or Star or LongStar or CompatibilityStar or SystemCallMask or FsBase
            or GsBase or KernelGsBase or TimeStampCounter))
        {
            processor.Observe(ExecutionEvent.Msr);
        }
    }

    public static bool TryRead(Processor processor, Op* op, uint number, out ulong value)
    {
        ref ModelSpecificRegisters msrs = ref processor.Msrs;
        switch (number)
        {
            case TimeStampCounter:
                processor.CatchUp(op);
                value = processor.Bus.TimeStamp;
                return true;
            case SysenterCs:
                value = msrs.SysenterCs;
                return true;
            case SysenterEsp:
                value = msrs.SysenterEsp;
                return true;
            case SysenterEip:
                value = msrs.SysenterEip;
                return true;
            case MiscEnable:
                value = msrs.MiscEnable;
                return true;
            case PageAttributeTable:
                value = msrs.PageAttributes;
                return true;
            case EferNumber:
                value = processor.Control.Efer;
                return true;
            case Star:
                value = msrs.Star;
                return true;
            case LongStar:
                value = msrs.LongStar;
                return true;
            case CompatibilityStar:
                value = msrs.CompatibilityStar;
                return true;
            case SystemCallMask:
                value = msrs.SystemCallMask;
                return true;
            case FsBase:
                value = processor.Segments[(int)SegmentName.Fs].Base;
                return true;
            case GsBase:
                value = processor.Segments[(int)SegmentName.Gs].Base;
                return true;
            case KernelGsBase:
                value = msrs.KernelGsBase;
                return true;
            case TscAux:
                value = msrs.TscAux;
                return true;
            case TscAdjust:
                value = processor.Bus.TimeStampAdjust;
                return true;
            case FeatureControl:
                value = 1; // locked by the firmware, with nothing in it
                return true;
            case MicrocodeRevision or MachineCheckCapabilities:
                value = 0; // no banks of machine-check registers
                return true;
            case MachineCheckStatus:
                value = msrs.MachineCheckStatus;
                return true;
            default:
                if (processor.MemoryTypes.TryRead(number, out value))
                {
                    return true;
                }

                processor.CatchUp(op);
                return processor.Bus.TryReadMsr(number, out value);
        }
    }

    public static bool TryWrite(Processor processor, Op* op, uint number, ulong value)
    {
        ref ModelSpecificRegisters msrs = ref processor.Msrs;
        switch (number)
        {
            case TimeStampCounter:
                processor.CatchUp(op);
                processor.Bus.TimeStamp = value;
                return true;
            case TscAdjust:
                processor.CatchUp(op);
                processor.Bus.TimeStampAdjust = value;
                return true;
            case SysenterCs:
                msrs.SysenterCs = value;
                return true;
            case SysenterEsp:
                return TryPutAddress(processor, ref msrs.SysenterEsp, value);
            case SysenterEip:
                return TryPutAddress(processor, ref msrs.SysenterEip, value);
            case MiscEnable:
                msrs.MiscEnable = value;
                return true;
            case PageAttributeTable:
                return TryPutPageAttributes(ref msrs, value);
            case EferNumber:
                return processor.Unit.WriteEfer(value) == RegisterWriteOutcome.Done;
            case Star:
                msrs.Star = value;
                return true;
            case LongStar:
                return TryPutAddress(processor, ref msrs.LongStar, value);
            case CompatibilityStar:
                return TryPutAddress(processor, ref msrs.CompatibilityStar, value);
            case SystemCallMask:
                msrs.SystemCallMask = (uint)value;
                return true;
            case FsBase:
                return TryPutBase(processor, SegmentName.Fs, value);
            case GsBase:
                return TryPutBase(processor, SegmentName.Gs, value);
            case KernelGsBase:
                return TryPutAddress(processor, ref msrs.KernelGsBase, value);
            case TscAux:
                msrs.TscAux = (uint)value;
                return value >> 32 == 0;
            case MachineCheckStatus:
                msrs.MachineCheckStatus = value & 7;
                return value <= 7;
            case MicrocodeRevision:
                return true;
            default:
                if (processor.MemoryTypes.TryWrite(number, value))
                {
                    return true;
                }

                processor.CatchUp(op);
                return processor.Bus.TryWriteMsr(number, value);
        }
    }

    private static bool TryPutAddress(Processor processor, ref ulong place, ulong value)
    {
        if (!processor.IsBase(value))
        {
            return false;
        }

        place = value;
        return true;
    }

    private static bool TryPutBase(Processor processor, SegmentName name, ulong value)
    {
        SegmentRegister segment = processor.Segments[(int)name];
        if (!TryPutAddress(processor, ref segment.Base, value))
        {
            return false;
        }

        processor.SetSegment(name, in segment);
        return true;
    }

    /// <summary>Types 2, 3 and above 7 are reserved (Intel SDM Vol. 3A §11.12.2).</summary>
    private static bool TryPutPageAttributes(ref ModelSpecificRegisters msrs, ulong value)
    {
        for (int i = 0; i < 8; i++)
        {
            if ((byte)(value >> (i * 8)) is 2 or 3 or > 7)
            {
                return false;
            }
        }

        msrs.PageAttributes = value;
        return true;
    }
}
