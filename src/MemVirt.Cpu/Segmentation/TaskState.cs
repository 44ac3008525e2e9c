using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace MemVirt.Cpu.Segmentation;

/// <summary>A task-state segment as memory holds it, of 32 or of 16 bits (Intel SDM Vol. 3A figures 8-2 and 8-10).</summary>
internal ref struct TaskState(Span<byte> image, bool is32)
{
    /// <summary>Bytes of a segment of 32 bits, up to the I/O map.</summary>
    public const int Bytes32 = 104;

    /// <summary>Bytes of a segment of 16 bits.</summary>
    public const int Bytes16 = 44;

    /// <summary>The registers in their order in a segment, general ones by their numbers.</summary>
    public const int GeneralRegisters = 8;

    private readonly Span<byte> _image = image;
    private readonly bool _is32 = is32;

    /// <summary>The first byte that a switch away from the task writes; static parts lie before it.</summary>
    public readonly int SavedFrom => _is32 ? 32 : 14;

    /// <summary>The byte after the last one that a switch away writes.</summary>
    public readonly int SavedTo => _is32 ? 96 : 42;

    /// <summary>CR3; there is none in 16 bits.</summary>
    public readonly uint Cr3 => Get(28, 0);

    public readonly uint Rip
    {
        get => Get(32, 14);
        set => Put(32, 14, value);
    }

    public readonly uint Rflags
    {
        get => Get(36, 16);
        set => Put(36, 16, value);
    }

    /// <summary>The selector of the LDT.</summary>
    public readonly ushort LocalTable => Word(_is32 ? 96 : 42);

    /// <summary>T: a debug trap after the switch.</summary>
    public readonly bool IsTrapped => _is32 && (_image[100] & 1) != 0;

    public readonly uint General(int number) => Get(40 + (4 * number), 18 + (2 * number));

    public readonly void SetGeneral(int number, uint value) => Put(40 + (4 * number), 18 + (2 * number), value);

    /// <summary>A selector; FS and GS are null in 16 bits.</summary>
    public readonly ushort Selector(SegmentName name) => HasSelector(name) ? Word(PlaceOf(name)) : (ushort)0;

    public readonly void SetSelector(SegmentName name, ushort selector)
    {
        if (HasSelector(name))
        {
            BinaryPrimitives.WriteUInt16LittleEndian(_image[PlaceOf(name)..], selector);
        }
    }

    private readonly bool HasSelector(SegmentName name) => _is32 || name is not (SegmentName.Fs or SegmentName.Gs);

    private readonly int PlaceOf(SegmentName name) => _is32 ? 72 + (4 * (int)name) : 34 + (2 * (int)name);

    private readonly ushort Word(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(_image[offset..]);

    private readonly uint Get(int offset32, int offset16)
        => _is32 ? BinaryPrimitives.ReadUInt32LittleEndian(_image[offset32..]) : Word(offset16);

    private readonly void Put(int offset32, int offset16, uint value)
    {
        if (_is32)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_image[offset32..], value);
        }
        else
        {
            BinaryPrimitives.WriteUInt16LittleEndian(_image[offset16..], (ushort)value);
        }
    }
}
