using System.Diagnostics;
using System.Runtime.InteropServices;
using Iced.Intel;
using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Cpu.Loading;
using Xunit.Abstractions;

namespace MemVirt.Cpu.NativeTests.Host;

/// <summary>
/// Random instructions with random operands and flags, executed by the host's processor and by this one: registers, flags that the manual
/// defines, vectors and memory are equal.
/// </summary>
public sealed unsafe class HostProcessorTests(ITestOutputHelper output)
{
    private const ulong CodeAddress = 0x10_0000;
    private const int DataBytes = 64;
    private const int VectorOffset = 160;
    private const int VectorBytes = 128;
    private const int StatesOfInstruction = 64;
    private const uint StatusFlags = 0x8D5;

    [SkippableFact]
    public void Registers_flags_and_memory_are_those_of_the_host()
    {
        long cases = long.TryParse(Environment.GetEnvironmentVariable("MEMVIRT_CASES"), out long given) ? given : 10_000_000;
        int seed = int.TryParse(Environment.GetEnvironmentVariable("MEMVIRT_SEED"), out int asked) ? asked : 20261123;
        var random = new Random(seed);
        using HostProcessor host = HostProcessor.Open();
        using GuestMachine machine = Guest();
        Processor processor = machine.Processor;
        var seen = new Dictionary<Mnemonic, long>();
        var failures = new List<string>();
        byte* code = processor.HostPointer(CodeAddress);
        long done = 0;
        var states = (HostState*)NativeMemory.AlignedAlloc(2 * HostState.Bytes, 64);
        using var free = new Release(states);
        var bytes = new byte[16];
        while (done < cases && failures.Count < 20)
        {
            Instruction instruction = RandomInstruction.Next(random, bytes);
            ReadOnlySpan<byte> encoded = bytes.AsSpan(0, instruction.Length);
            host.Set(encoded);
            processor.Code.Forget(CodeAddress);
            encoded.CopyTo(new Span<byte>(code, 16));
            code[instruction.Length] = 0xEB; // jmp to itself
            code[instruction.Length + 1] = 0xFE;
            for (int i = 0; i < StatesOfInstruction; i++)
            {
                done++;
                string? difference = Compare(host, machine, in instruction, random, states);
                if (difference is not null)
                {
                    failures.Add(FormattableString.Invariant($"{Convert.ToHexString(encoded)} {instruction}: {difference}"));
                    break;
                }
            }

            seen[instruction.Mnemonic] = seen.GetValueOrDefault(instruction.Mnemonic) + StatesOfInstruction;
        }

        output.WriteLine($"seed {seed}, {done:N0} cases, {seen.Count} instructions: {string.Join(' ', seen.Keys.Select(mnemonic => mnemonic.ToString().ToLowerInvariant()).Order())}");
        Assert.True(failures.Count == 0, $"seed {seed}\n" + string.Join('\n', failures));
    }

    private static string? Compare(HostProcessor host, GuestMachine machine, in Instruction instruction, Random random, HostState* states)
    {
        Processor processor = machine.Processor;
        HostState* before = states;
        *before = default;
        for (int i = 0; i < 16; i++)
        {
            before->General[i] = RandomInstruction.Operand(random);
        }

        before->General[6] = HostProcessor.Data;
        before->Flags = 0x202 | ((uint)random.Next() & StatusFlags);
        before->Mxcsr = DefaultMxcsr;
        RandomState.Fill(random, before->Saved);
        byte* vectors = before->Saved + VectorOffset;
        for (int i = 0; i < 16; i++)
        {
            ((ulong*)vectors)[i] = RandomInstruction.VectorOperand(random);
        }

        var data = new Span<byte>((void*)HostProcessor.Data, DataBytes);
        Span<byte> original = stackalloc byte[DataBytes];
        for (int i = 0; i < DataBytes; i += 8)
        {
            BitConverter.TryWriteBytes(original[i..], (i & 8) == 0 ? RandomInstruction.VectorOperand(random) : RandomInstruction.Operand(random));
        }

        // Ours first: what divides by zero would end this process.
        var guestData = new Span<byte>(processor.HostPointer(HostProcessor.Data), DataBytes);
        original.CopyTo(guestData);
        for (int i = 0; i < 16; i++)
        {
            processor.Register(i * 8) = before->General[i];
        }

        new ReadOnlySpan<byte>(vectors, VectorBytes).CopyTo(new Span<byte>(processor.X, VectorBytes));
        processor.FloatingPoint.Restore(before->Saved, is64: false);
        processor.Mxcsr = *(uint*)(before->Saved + 24);
        processor.Rflags = before->Flags;
        processor.Rip = CodeAddress;
        GuestStop stop = machine.Run(processor.Now + 1);
        if (processor.Rip != CodeAddress + (ulong)instruction.Length)
        {
            return instruction.Mnemonic is Mnemonic.Div or Mnemonic.Idiv ? null : $"{stop} at {machine.Where}";
        }

        original.CopyTo(data);
        HostState* after = states + 1;
        *after = *before;
        host.Run(after);
        // Whether a comparison with an exception that is not masked sets conditions: the manuals of Intel say no, processors of AMD do.
        bool isConditionOpen = RandomInstruction.IsComparison(instruction.Mnemonic) && processor.FloatingPoint.IsExceptionPending;
        ulong flags = isConditionOpen ? 0 : StatusFlags & ~Undefined(in instruction, before);
        if (((processor.Rflags ^ after->Flags) & flags) != 0)
        {
            return FormattableString.Invariant($"flags {processor.Rflags & flags:x}, host {after->Flags & flags:x}; before {before->Flags:x} rax {before->General[0]:x} rcx {before->General[1]:x} rdx {before->General[2]:x}");
        }

        for (int i = 0; i < 16; i++)
        {
            if (i != 4 && processor.Register(i * 8) != after->General[i])
            {
                return FormattableString.Invariant($"register {i} {processor.Register(i * 8):x}, host {after->General[i]:x}, before {before->General[i]:x}; rax {before->General[0]:x} rcx {before->General[1]:x}");
            }
        }

        if (!new ReadOnlySpan<byte>(processor.X, VectorBytes).SequenceEqual(new ReadOnlySpan<byte>(after->Saved + VectorOffset, VectorBytes)))
        {
            return "vectors " + Convert.ToHexString(new ReadOnlySpan<byte>(processor.X, VectorBytes)) + ", host "
                   + Convert.ToHexString(new ReadOnlySpan<byte>(after->Saved + VectorOffset, VectorBytes))
                   + ", before " + Convert.ToHexString(new ReadOnlySpan<byte>(vectors, VectorBytes)) + " memory " + Convert.ToHexString(original);
        }

        // With a memory operand it goes over to MMX by Intel's manual, and does not on processors of AMD.
        bool isTransitionOpen = instruction.Mnemonic == Mnemonic.Cvtpi2ps && instruction.Op1Kind == OpKind.Memory;
        string? floating = RandomState.Difference(processor, before->Saved, after->Saved, RandomState.Open(instruction.Mnemonic, isConditionOpen));
        if (floating is not null && !isTransitionOpen)
        {
            return $"{floating}; memory {Convert.ToHexString(original)}";
        }

        return guestData.SequenceEqual(data) ? null : $"memory {Convert.ToHexString(guestData)}, host {Convert.ToHexString(data)}, before {Convert.ToHexString(original)}";
    }

    /// <summary>What the manual leaves undefined: Iced's table, and what depends on the count of a shift.</summary>
    private static uint Undefined(in Instruction instruction, HostState* before)
    {
        uint undefined = Bits(instruction.RflagsUndefined);
        bool isShift = instruction.Mnemonic is Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl
            or Mnemonic.Rcr or Mnemonic.Shld or Mnemonic.Shrd;
        if (!isShift)
        {
            return undefined;
        }

        int size = instruction.Op0Kind == OpKind.Register ? instruction.Op0Register.GetSize() : instruction.MemorySize.GetSize();
        int last = instruction.OpCount - 1;
        int count = (int)(instruction.GetOpKind(last) == OpKind.Register ? before->General[1] : instruction.GetImmediate(last)) & (size == 8 ? 63 : 31);
        if (count == 0)
        {
            return 0;
        }

        undefined |= count != 1 ? 0x800u : 0;
        bool isRotate = instruction.Mnemonic is Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl or Mnemonic.Rcr;
        undefined |= isRotate ? 0 : 0x10u;
        return count >= size * 8 && !isRotate ? undefined | 1 : undefined;
    }

    private static uint Bits(RflagsBits flags)
        => (flags.HasFlag(RflagsBits.CF) ? 1u : 0) | (flags.HasFlag(RflagsBits.PF) ? 4u : 0) | (flags.HasFlag(RflagsBits.AF) ? 0x10u : 0)
           | (flags.HasFlag(RflagsBits.ZF) ? 0x40u : 0) | (flags.HasFlag(RflagsBits.SF) ? 0x80u : 0) | (flags.HasFlag(RflagsBits.OF) ? 0x800u : 0);

    private const uint DefaultMxcsr = 0x1F80;

    /// <summary>Frees the states.</summary>
    private sealed class Release(HostState* states) : IDisposable
    {
        public void Dispose() => NativeMemory.AlignedFree(states);
    }

    private static GuestMachine Guest()
    {
        const ulong Root = 0x1000;
        var machine = new GuestMachine(new GuestOptions { MemoryBytes = 4 << 20, Profile = CpuProfile.Max with { LinearAddress57 = false }, Output = _ => { } });
        machine.HostMemory.Write(Root, X64FourLevel.TableEntry(0x2000));
        machine.HostMemory.Write(0x2000, X64FourLevel.TableEntry(0x3000));
        machine.HostMemory.Write(0x3000, X64FourLevel.LeafEntry(0, level: 1, AccessRights.All, dirty: true));
        machine.HostMemory.Write(0x3008, X64FourLevel.LeafEntry(2 << 20, level: 1, AccessRights.All, dirty: true));
        machine.Start(new BootState
        {
            Mode = BootMode.Long64, Rip = CodeAddress, GeneralRegisters = new ulong[16], Cr0 = 0x8001_0033, Cr3 = Root, Cr4 = 0x620, Efer = 0xD01,
            Code = new SegmentState(8, 0, uint.MaxValue, 0xA09B), Data = new SegmentState(16, 0, uint.MaxValue, 0xC093), GlobalTable = default,
        });
        return machine;
    }
}
