using System.Runtime.InteropServices;
using Iced.Intel;
using MemVirt.Core.Addresses;
using MemVirt.Cpu.Execution;

namespace MemVirt.Cpu.Decoding;

/// <summary>
/// Decodes blocks. A block goes on past branches that may not be taken, and ends at others, at the end of its page, and before what
/// would make it too long. An instruction that reaches into the next page is a block of its own, as is one whose accesses are checked.
/// </summary>
internal sealed unsafe class BlockBuilder : IDisposable
{
    private const int MaxInstructions = 48;
    private const int MaxInstructionBytes = 15;
    private const ulong OffsetMask = 0xFFF;
    private const int PageBytes = 4096;
    private readonly Processor _processor;
    private readonly CodeBytes _bytes = new();
    private readonly Decoder _decoder16;
    private readonly Decoder _decoder32;
    private readonly Decoder _decoder64;
    private readonly AccessChecks _checks = new();
    private readonly Op* _ops;
    private readonly byte* _window;

    public BlockBuilder(Processor processor)
    {
        _processor = processor;
        _decoder16 = Decoder.Create(16, _bytes);
        _decoder32 = Decoder.Create(32, _bytes);
        _decoder64 = Decoder.Create(64, _bytes);
        _ops = (Op*)NativeMemory.AlignedAlloc((MaxInstructions + 1) * (nuint)sizeof(Op), 64);
        _window = (byte*)NativeMemory.AllocZeroed(16);
    }

    /// <summary>The block at a host-physical address; null where the fetch of a second page faults.</summary>
    /// <param name="key">The block's key.</param>
    /// <param name="linear">The linear address.</param>
    public Block* Build(ulong key, ulong linear)
    {
        ulong hpa = key & AddressBits52;
        byte* start = _processor.HostPointer(hpa);
        int available = PageBytes - (int)(hpa & OffsetMask);
        _bytes.Set(start, available);
        int limit = (key & (CodeCache.SingleStep | CodeCache.Breakpoints)) != 0 ? 1 : MaxInstructions;
        int count = Decode(key, limit, out int length);
        if (count == 0)
        {
            return BuildCrossing(key, linear, start, available);
        }

        Block* block = Finish(key, count, length);
        _processor.Code.Add(block);
        return block;
    }

    private const ulong AddressBits52 = (1UL << 52) - 1;

    public void Dispose()
    {
        _checks.Dispose();
        NativeMemory.AlignedFree(_ops);
        NativeMemory.Free(_window);
    }

    /// <summary>A block of one instruction of which a part lies in the next page.</summary>
    private Block* BuildCrossing(ulong key, ulong linear, byte* start, int available)
    {
        ulong next = (linear | OffsetMask) + 1;
        if (!_processor.IsLong)
        {
            next = (uint)next;
        }

        if (!_processor.Unit.Linear.TryCanonicalize(next, dataAccess: false, out next))
        {
            _processor.RaiseBetween(Interrupts.Vector.GeneralProtection);
            return null;
        }

        if (!_processor.TryFetch(next, out HostPhysicalAddress second))
        {
            return null;
        }

        new Span<byte>(_window, 16).Clear();
        new ReadOnlySpan<byte>(start, available).CopyTo(new Span<byte>(_window, available));
        byte* rest = _processor.HostPointer(second.Value);
        new ReadOnlySpan<byte>(rest, MaxInstructionBytes - available).CopyTo(new Span<byte>(_window + available, MaxInstructionBytes - available));
        ref Block* place = ref _processor.Code.Crossing(key);
        ulong low = *(ulong*)_window;
        ulong high = *(ulong*)(_window + 8);
        Block* known = place;
        if (known != null && known->Key == key && *BytesOf(known) == low && *(BytesOf(known) + 1) == high)
        {
            return known;
        }

        _bytes.Set(_window, MaxInstructionBytes);
        int count = Decode(key, 1, out int length);
        Block* block = Finish(key, count, length);
        block->SecondFrame = second.Value;
        (*BytesOf(block), *(BytesOf(block) + 1)) = (low, high);
        _processor.Code.Crossing(key) = block;
        return block;
    }

    /// <summary>Where a crossing block keeps the bytes it was decoded from: past the operation that leaves it.</summary>
    private static ulong* BytesOf(Block* block) => (ulong*)(block->Ops + block->Checks + block->Count + 1);

    /// <summary>Decodes instructions into the buffer; 0 where the first does not end in the bytes there are.</summary>
    private int Decode(ulong key, int limit, out int length)
    {
        Decoder decoder = (key & CodeCache.LongMode) != 0 ? _decoder64 : (key & CodeCache.Default32) != 0 ? _decoder32 : _decoder16;
        decoder.IP = 0;
        _checks.Clear();
        length = 0;
        int count = 0;
        bool isEnded = false;
        while (count < limit && !isEnded)
        {
            decoder.Decode(out Instruction instruction);
            bool isUnfinished = decoder.LastError == DecoderError.NoMoreBytes;
            if (isUnfinished && (count > 0 || !_bytes.IsWindow))
            {
                break;
            }

            Op* op = _ops + count;
            *op = default;
            op->Offset = (ushort)length;
            length += instruction.IsInvalid ? 1 : instruction.Length;
            op->Next = (ushort)length;
            if (instruction.IsInvalid)
            {
                // Not at its end after all the bytes that an instruction can have.
                op->Handler = isUnfinished || instruction.Length == MaxInstructionBytes ? &Undefined.TooLong : &Undefined.Execute;
                isEnded = true;
            }
            else
            {
                Operands.BindMemory(in instruction, op, decoder.Bitness);
                isEnded = Selection.Select(in instruction, op, decoder.Bitness);
            }

            bool isOfCode = (key & CodeCache.LongMode) == 0 && (op->Traits & OpTraits.Memory) != 0 && instruction.MemorySegment == Register.CS;
            if (((key & CodeCache.Checked) != 0 || isOfCode) && _checks.Add(in instruction, op, key, isFirst: count == 0))
            {
                if (count > 0)
                {
                    length = op->Offset;
                    break;
                }

                isEnded = true;
            }

            count++;
        }

        return count;
    }

    private Block* Finish(ulong key, int count, int length)
    {
        // One more operation leaves the block; of a crossing one, another holds its bytes.
        ReadOnlySpan<Op> checks = _checks.Operations;
        Block* block = _processor.Code.Allocate(checks.Length + count + 2);
        block->Key = key;
        block->Count = count;
        block->Checks = checks.Length;
        checks.CopyTo(new Span<Op>(block->Ops, checks.Length));
        Op* ops = block->Ops + checks.Length;
        block->Length = length;
        block->SecondFrame = Block.NoFrame;
        for (int i = 0; i < count; i++)
        {
            ops[i] = _ops[i];
            ops[i].After = (ushort)(count - i - 1);
        }

        ops[count] = default;
        ops[count].Handler = &EndOfBlock;
        ops[count].Offset = (ushort)length;
        return block;
    }

    private static Op* EndOfBlock(Processor processor, Op* op)
    {
        processor.Rip = processor.RipOf(op->Offset);
        return null;
    }

    /// <summary>The bytes to decode.</summary>
    private sealed class CodeBytes : CodeReader
    {
        private byte* _start;
        private int _length;
        private int _position;

        /// <summary>Whether they are all that an instruction can have.</summary>
        public bool IsWindow => _length >= MaxInstructionBytes;

        public void Set(byte* start, int length)
        {
            _start = start;
            _length = length;
            _position = 0;
        }

        public override int ReadByte() => _position < _length ? _start[_position++] : -1;
    }
}
