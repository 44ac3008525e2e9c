using MemVirt.Cpu.FloatingPoint.Arithmetic;

namespace MemVirt.Cpu.FloatingPoint;

/// <summary>The x87 unit's state (Intel SDM Vol. 1 §8.1).</summary>
internal sealed unsafe class FloatingPointUnit
{
    private const int TopShift = 11;
    private const ushort TopMask = 7 << TopShift;
    private const ushort Summary = 0x8080;
    private const ushort RoundUp = 1 << 9;
    private readonly Extended[] _registers = new Extended[8];

    /// <summary>The control word.</summary>
    public ushort Control = 0x37F;

    /// <summary>The status word.</summary>
    public ushort Status;

    /// <summary>The tag word, abridged as FXSAVE has it: a bit for each register in use.</summary>
    public byte Tags;

    /// <summary>The address of the last instruction that was none of control: its offset, and CS.</summary>
    public ulong InstructionPointer;

    /// <summary>The address of its memory operand.</summary>
    public ulong DataPointer;

    /// <summary>CS of the last instruction, and its memory operand's segment.</summary>
    public ushort CodeSelector, DataSelector;

    /// <summary>Whether an exception waits that is not masked (ES).</summary>
    public bool IsExceptionPending => (Status & 0x80) != 0;

    /// <summary>The stack's top.</summary>
    public int Top
    {
        get => (Status & TopMask) >> TopShift;
        set => Status = (ushort)((Status & ~TopMask) | ((value & 7) << TopShift));
    }

    /// <summary>ST(i), whether in use or not.</summary>
    public ref Extended this[int i] => ref _registers[(Top + i) & 7];

    /// <summary>FNINIT.</summary>
    public void Initialize()
    {
        Control = 0x37F;
        Status = 0;
        Tags = 0;
        (InstructionPointer, DataPointer, CodeSelector, DataSelector) = (0, 0, 0, 0);
    }

    /// <summary>Any instruction on an MM register: the top is 0, every register in use.</summary>
    public void EnterMmx()
    {
        Status &= unchecked((ushort)~TopMask);
        Tags = byte.MaxValue;
    }

    /// <summary>An MM register: the significand of the x87 register of its number, wherever the top is.</summary>
    public ulong Mmx(int number) => _registers[number].Significand;

    /// <summary>Writes an MM register: sign and exponent become ones.</summary>
    public void SetMmx(int number, ulong value) => _registers[number] = new Extended(value, ushort.MaxValue);

    /// <summary>Whether ST(i) is in use.</summary>
    public bool IsUsed(int i) => (Tags >> ((Top + i) & 7) & 1) != 0;

    /// <summary>ST(i) is in use from now on, or no more.</summary>
    public void Mark(int i, bool isUsed)
    {
        var bit = (byte)(1 << ((Top + i) & 7));
        Tags = (byte)(isUsed ? Tags | bit : Tags & ~bit);
    }

    /// <summary>ST(i) takes a value.</summary>
    public void Put(int i, Extended value)
    {
        this[i] = value;
        Mark(i, isUsed: true);
    }

    /// <summary>A new ST(0).</summary>
    public void Push(Extended value)
    {
        Top--;
        Put(0, value);
    }

    /// <summary>ST(0) goes.</summary>
    public void Pop()
    {
        Mark(0, isUsed: false);
        Top++;
    }

    /// <summary>C3, C2 and C0, as COMISD has ZF, PF and CF; bits 2, 1 and 0 of the number.</summary>
    public void SetConditions(int c320)
        => Status = (ushort)((Status & ~0x4500) | ((c320 & 4) << 12) | ((c320 & 2) << 9) | ((c320 & 1) << 8));

    /// <summary>C2 alone.</summary>
    public void ClearC2() => Status &= unchecked((ushort)~0x400);

    /// <summary>C1.</summary>
    public void SetC1(bool value) => Status = (ushort)(value ? Status | RoundUp : Status & ~RoundUp);

    /// <summary>Whether a store to memory is to be done in spite of what it has met.</summary>
    public bool IsStored(FloatFlags flags) => (~Control & (int)flags & (int)(FloatFlags.All & ~FloatFlags.Precision)) == 0;

    /// <summary>
    /// Takes what an operation has met into the status word; C1 says whether it rounded up, or of a stack fault whether it was an overflow. Returns whether
    /// its result is to be written: not where an exception from before the computation is not masked.
    /// </summary>
    public bool Settle(FloatFlags flags, bool c1)
    {
        var unmasked = (FloatFlags)(~Control & (int)FloatFlags.All) & flags;
        bool isWritten = (unmasked & FloatFlags.BeforeComputation) == 0;
        if (!isWritten)
        {
            flags &= FloatFlags.BeforeComputation | FloatFlags.StackFault;
            c1 &= (flags & FloatFlags.StackFault) != 0;
        }

        SetC1(c1);
        Status |= (ushort)flags;
        if (unmasked != 0)
        {
            Status |= Summary;
        }

        return isWritten;
    }

    /// <summary>ES and B follow from the exceptions and their masks.</summary>
    public void Summarise()
        => Status = (ushort)((Status & ~Control & (int)FloatFlags.All) != 0 ? Status | Summary : Status & ~Summary);

    /// <summary>The tag word of FNSTENV: two bits a register (Intel SDM Vol. 1 §8.1.7).</summary>
    public ushort FullTags()
    {
        int tags = 0;
        for (int i = 0; i < 8; i++)
        {
            Unpacked value = Unpacked.Of(_registers[i]);
            int tag = (Tags >> i & 1) == 0 ? 3 : value.Kind == FloatKind.Zero ? 1 : value.Kind == FloatKind.Finite && !value.IsDenormal ? 0 : 2;
            tags |= tag << (i * 2);
        }

        return (ushort)tags;
    }

    /// <summary>Takes the tag word of FLDENV.</summary>
    public void SetFullTags(ushort tags)
    {
        Tags = 0;
        for (int i = 0; i < 8; i++)
        {
            Tags |= (byte)((tags >> (i * 2) & 3) != 3 ? 1 << i : 0);
        }
    }

    /// <summary>The x87 part of FXSAVE (Intel SDM Vol. 1 table 10-2).</summary>
    public void Save(byte* area, bool is64)
    {
        new Span<byte>(area, 24).Clear();
        *(ushort*)area = Control;
        *(ushort*)(area + 2) = Status;
        area[4] = Tags;
        if (is64)
        {
            *(ulong*)(area + 8) = InstructionPointer;
            *(ulong*)(area + 16) = DataPointer;
        }
        else
        {
            (*(uint*)(area + 8), *(uint*)(area + 12)) = ((uint)InstructionPointer, CodeSelector);
            (*(uint*)(area + 16), *(uint*)(area + 20)) = ((uint)DataPointer, DataSelector);
        }

        for (int i = 0; i < 8; i++)
        {
            byte* place = area + 32 + (i * 16);
            *(Extended*)place = this[i];
            *(uint*)(place + 10) = 0;
            *(ushort*)(place + 14) = 0;
        }
    }

    /// <summary>The x87 part of FXRSTOR.</summary>
    public void Restore(byte* area, bool is64)
    {
        Control = (ushort)((*(ushort*)area & 0x1F7F) | 0x40);
        Status = *(ushort*)(area + 2);
        Tags = area[4];
        InstructionPointer = is64 ? *(ulong*)(area + 8) : *(uint*)(area + 8);
        DataPointer = is64 ? *(ulong*)(area + 16) : *(uint*)(area + 16);
        (CodeSelector, DataSelector) = is64 ? ((ushort)0, (ushort)0) : (*(ushort*)(area + 12), *(ushort*)(area + 20));
        for (int i = 0; i < 8; i++)
        {
            this[i] = *(Extended*)(area + 32 + (i * 16));
        }

        Summarise();
    }
}
