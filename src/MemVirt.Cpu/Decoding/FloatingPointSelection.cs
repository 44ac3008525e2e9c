using Iced.Intel;
using MemVirt.Cpu.FloatingPoint;
using MemVirt.Cpu.Vectors;

namespace MemVirt.Cpu.Decoding;

/// <summary>The x87 unit, and what saves it.</summary>
internal static unsafe class FloatingPointSelection
{
    public static bool TrySelect(in Instruction i, Op* op)
    {
        op->Size = i.Mnemonic is Mnemonic.Fxsave64 or Mnemonic.Fxrstor64 ? (byte)8 : (byte)4;
        op->Handler = i.Mnemonic switch
        {
            Mnemonic.Fxsave or Mnemonic.Fxsave64 => &SaveArea.Save,
            Mnemonic.Fxrstor or Mnemonic.Fxrstor64 => &SaveArea.Restore,
            Mnemonic.Fninit => &FloatingPointExecution.Initialize,
            Mnemonic.Fnclex => &FloatingPointExecution.ClearExceptions,
            Mnemonic.Fnstcw => &FloatingPointExecution.StoreControl,
            Mnemonic.Fldcw => &FloatingPointExecution.LoadControl,
            Mnemonic.Fnstsw => &FloatingPointExecution.StoreStatus,
            Mnemonic.Wait => &FloatingPointExecution.Wait,
            _ => null,
        };
        return op->Handler != null;
    }
}
