namespace MemVirt.Cpu.FloatingPoint;

/// <summary>The x87 unit's state.</summary>
internal sealed unsafe class FloatingPointUnit
{
    private readonly byte[] _registers = new byte[8 * 16];

    /// <summary>The control word.</summary>
    public ushort Control = 0x37F;

    /// <summary>The status word.</summary>
    public ushort Status;

    /// <summary>The tag word, abridged as FXSAVE has it: a bit for each register in use.</summary>
    public byte Tags;

    /// <summary>FNINIT.</summary>
    public void Initialize()
    {
        Control = 0x37F;
        Status = 0;
        Tags = 0;
    }

    /// <summary>The x87 part of FXSAVE.</summary>
    public void Save(byte* area, bool is64)
    {
        new Span<byte>(area, 24).Clear();
        *(ushort*)area = Control;
        *(ushort*)(area + 2) = Status;
        area[4] = Tags;
        _registers.CopyTo(new Span<byte>(area + 32, 128));
    }

    /// <summary>The x87 part of FXRSTOR.</summary>
    public void Restore(byte* area, bool is64)
    {
        Control = *(ushort*)area;
        Status = *(ushort*)(area + 2);
        Tags = area[4];
        new ReadOnlySpan<byte>(area + 32, 128).CopyTo(_registers);
    }
}
