using System.Runtime.InteropServices;

namespace MemVirt.Cpu.NativeTests.Host;

/// <summary>The registers that an instruction is run with, and leaves.</summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
internal unsafe struct HostState
{
    /// <summary>Bytes of it; it lies at a multiple of 16.</summary>
    public const int Bytes = 1024;

    /// <summary>RAX, RCX, RDX, RBX, RSP (not used), RBP, RSI, RDI, R8 to R15.</summary>
    [FieldOffset(0)]
    public fixed ulong General[16];

    /// <summary>RFLAGS.</summary>
    [FieldOffset(128)]
    public ulong Flags;

    /// <summary>MXCSR as .NET wants it.</summary>
    [FieldOffset(136)]
    public uint Mxcsr;

    /// <summary>What FXSAVE saves: x87, MXCSR and the vectors.</summary>
    [FieldOffset(512)]
    public fixed byte Saved[512];
}

/// <summary>The host's own processor: an instruction's bytes between code that loads and stores registers.</summary>
internal sealed unsafe class HostProcessor : IDisposable
{
    private const int Protection = 7;
    private const int PrivateAnonymousFixed = 0x100022;
    private const int PageBytes = 4096;

    /// <summary>Where memory operands lie, here and in the guest.</summary>
    public const ulong Data = 0x28_0000;

    private readonly byte* _code;
    private readonly int _instruction;
    private readonly byte[] _after;

    private HostProcessor(byte* code)
    {
        _code = code;
        byte[] before = Before();
        _after = After();
        before.CopyTo(new Span<byte>(code, PageBytes));
        _instruction = before.Length;
    }

    /// <summary>The processor, or why it cannot be used.</summary>
    public static HostProcessor Open()
    {
        Skip.IfNot(OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64, "the host is no x86-64 Linux");
        void* data = Map((void*)Data, PageBytes, Protection & 3, PrivateAnonymousFixed, -1, 0);
        Skip.If((nuint)data != Data, $"the host gives no memory at 0x{Data:x}");
        void* code = Map(null, PageBytes, Protection, 0x22, -1, 0);
        Skip.If((nint)code == -1, "the host gives no memory that is writable and executable");
        return new HostProcessor((byte*)code);
    }

    /// <summary>Puts an instruction between the code.</summary>
    public void Set(ReadOnlySpan<byte> instruction)
    {
        instruction.CopyTo(new Span<byte>(_code + _instruction, 16));
        _after.CopyTo(new Span<byte>(_code + _instruction + instruction.Length, _after.Length));
    }

    /// <summary>Executes it.</summary>
    public void Run(HostState* state) => ((delegate* unmanaged<HostState*, void>)_code)(state);

    public void Dispose()
    {
        _ = Unmap(_code, PageBytes);
        _ = Unmap((void*)Data, PageBytes);
    }

    private static byte[] Before()
    {
        var code = new List<byte>();
        code.AddRange([0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57]); // push rbx, rbp, r12-r15
        code.Add(0x57);                                                                // push rdi
        code.AddRange([0xFF, 0xB7, 0x80, 0, 0, 0, 0x9D]);                              // push [rdi+128]; popfq
        code.AddRange([0x0F, 0xAE, 0x8F, .. BitConverter.GetBytes(512)]);              // fxrstor [rdi+512]
        foreach (int register in (int[])[0, 1, 2, 3, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 7])
        {
            code.AddRange([(byte)(register >= 8 ? 0x4C : 0x48), 0x8B, (byte)(0x87 | ((register & 7) << 3)), .. BitConverter.GetBytes(register * 8)]);
        }

        return [.. code];
    }

    private static byte[] After()
    {
        var code = new List<byte>();
        code.AddRange([0x48, 0x87, 0x3C, 0x24]); // xchg [rsp], rdi
        foreach (int register in (int[])[0, 1, 2, 3, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15])
        {
            code.AddRange([(byte)(register >= 8 ? 0x4C : 0x48), 0x89, (byte)(0x87 | ((register & 7) << 3)), .. BitConverter.GetBytes(register * 8)]);
        }

        code.AddRange([0x0F, 0xAE, 0x87, .. BitConverter.GetBytes(512)]);              // fxsave [rdi+512]
        code.AddRange([0xDB, 0xE3, 0x0F, 0xAE, 0x97, .. BitConverter.GetBytes(136)]);  // fninit; ldmxcsr [rdi+136]
        code.AddRange([0x58, 0x48, 0x89, 0x87, .. BitConverter.GetBytes(7 * 8)]);      // pop rax; mov [rdi+56], rax
        code.AddRange([0x9C, 0x58, 0x48, 0x89, 0x87, .. BitConverter.GetBytes(128)]);  // pushfq; pop rax; mov [rdi+128], rax
        code.AddRange([0xFC, 0x41, 0x5F, 0x41, 0x5E, 0x41, 0x5D, 0x41, 0x5C, 0x5D, 0x5B, 0xC3]); // cld; pop r15-r12, rbp, rbx; ret
        return [.. code];
    }

    [DllImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static extern void* Map(void* address, nuint length, int protection, int flags, int descriptor, nint offset);

    [DllImport("libc", EntryPoint = "munmap")]
    private static extern int Unmap(void* address, nuint length);
}
