using System.Buffers.Binary;
using Iced.Intel;
using MemVirt.Cpu.Loading;
using static Iced.Intel.AssemblerRegisters;

namespace MemVirt.Cpu.Tests.Execution;

/// <summary>Hardware task switches (Intel SDM Vol. 3A ch. 8): what is saved, loaded, linked and busy, and whose the faults are.</summary>
public sealed class TaskSwitchTests
{
    private const int DebugVector = 1;
    private const int InvalidTask = 10;
    private const int NotPresent = 11;
    private const int GeneralProtection = 13;

    private const ushort First = 0x18;
    private const ushort Second = 0x20;
    private const ushort Gate = 0x28;
    private const ushort Short = 0x30;
    private const ushort Absent = 0x38;
    private const ushort Small = 0x40;
    private const uint FirstState = 0x5000;
    private const uint SecondState = 0x5100;

    [Fact]
    public void A_call_nests_and_iret_goes_back()
    {
        using var guest = new TaskGuest(
            a =>
            {
                a.mov(ecx, 1);
                a.db(0x9A, 0, 0, 0, 0, (byte)Second, 0); // call 20h:0
                a.mov(ebx, 3);
                a.hlt();
            },
            b =>
            {
                b.inc(ecx);
                b.pushfd();
                b.pop(eax);
                b.iretd();
            });
        guest.Put(SecondState + 44, 98); // ECX
        guest.Runs();
        Assert.Equal((1UL, 3UL), (guest.Register(Register.RCX), guest.Register(Register.RBX)));
        Assert.Equal((99u, 0x4006u), (guest.Get(SecondState + 44), guest.Get(SecondState + 40))); // ECX, and EAX: NT, and the parity of 99
        Assert.Equal(6u, guest.Get(SecondState + 36)); // EFLAGS, without NT
        Assert.Equal((true, false), (guest.IsBusy(First), guest.IsBusy(Second)));
        Assert.Equal(First, guest.Get(SecondState));
        Assert.Equal(First, guest.Processor.Tables.Task.Selector);
        Assert.NotEqual(0UL, guest.Processor.Control.Cr0 & 8);
        Assert.Equal(0UL, guest.Processor.Rflags & SystemFlag.NestedTask);
    }

    [Fact]
    public void A_jump_through_a_gate_leaves_nothing_behind()
    {
        using var guest = new TaskGuest(
            a =>
            {
                a.mov(esi, 0x1234_5678);
                a.db(0xEA, 0, 0, 0, 0, (byte)Gate, 0); // jmp 28h:0
            },
            b => b.hlt());
        guest.Runs();
        Assert.Equal((false, true), (guest.IsBusy(First), guest.IsBusy(Second)));
        Assert.Equal(0u, guest.Get(SecondState));
        Assert.Equal((0x1234_5678u, (uint)CodeGuest.CodeAddress + 12), (guest.Get(FirstState + 64), guest.Get(FirstState + 32)));
        Assert.Equal(0UL, guest.Processor.Rflags & SystemFlag.NestedTask);
    }

    [Theory]
    [InlineData(First, GeneralProtection)]
    [InlineData(Short, InvalidTask)]
    [InlineData(Absent, NotPresent)]
    [InlineData(Second | 4, GeneralProtection)]
    public void What_cannot_be_switched_to_is_a_fault_of_the_old_task(int selector, int vector)
    {
        using var guest = new TaskGuest(a => a.db(0x9A, 0, 0, 0, 0, (byte)selector, 0), b => b.ud2());
        guest.Runs();
        Assert.Equal(vector, guest.Met);
        Assert.Equal((ulong)selector & 0xFFFC, guest.Register(Register.RAX));
        Assert.Equal(First, guest.Processor.Tables.Task.Selector);
        Assert.Equal(CodeGuest.CodeAddress, guest.Register(Register.RBX)); // of the fault's frame
    }

    [Theory]
    [InlineData(76, 0x10, InvalidTask, 0x10)] // CS is data
    [InlineData(80, 0x08, InvalidTask, 0x08)] // SS is code
    [InlineData(84, 0x100, InvalidTask, 0x100)] // DS beyond the table
    [InlineData(96, 0x10, InvalidTask, 0x10)] // LDT is data
    public void What_a_new_task_cannot_load_is_its_own_fault(uint offset, uint selector, int vector, uint error)
    {
        using var guest = new TaskGuest(a => a.db(0x9A, 0, 0, 0, 0, (byte)Second, 0), b => b.ud2(), tasks: vector);
        guest.Put(SecondState + offset, selector);
        guest.Runs();
        Assert.Equal(vector, guest.Met);
        Assert.Equal(error, guest.Register(Register.RAX));
        Assert.Equal((ushort)0x48, guest.Processor.Tables.Task.Selector);
        Assert.Equal(Second, guest.Get(TaskGuest.HandlerState)); // the handler's link: the new task had begun
    }

    [Fact]
    public void An_exception_through_a_task_gate_brings_its_error_code()
    {
        using var guest = new TaskGuest(
            a =>
            {
                a.mov(eax, 0x100);
                a.mov(ds, eax);
            },
            b => b.ud2(),
            tasks: GeneralProtection);
        guest.Runs();
        Assert.Equal(0x100UL, guest.Register(Register.RAX));
        Assert.Equal((uint)CodeGuest.CodeAddress + 5, guest.Get(FirstState + 32));
        Assert.Equal(SystemFlag.Resume, guest.Get(FirstState + 36) & SystemFlag.Resume);
        Assert.NotEqual(0UL, guest.Processor.Rflags & SystemFlag.NestedTask);
    }

    [Fact]
    public void A_debug_trap_follows_where_the_state_asks_for_it()
    {
        using var guest = new TaskGuest(a => a.db(0xEA, 0, 0, 0, 0, (byte)Second, 0), b => b.ud2());
        guest.Put(SecondState + 100, 1);
        guest.Runs();
        Assert.Equal(DebugVector, guest.Met);
        Assert.Equal(1UL << 15, guest.Processor.Debug.Dr6 & (1 << 15));
    }

    [Fact]
    public void Of_16_bits_a_state_has_words()
    {
        using var guest = new TaskGuest(a => a.db(0xEA, 0, 0, 0, 0, (byte)Small, 0), b => b.hlt());
        uint state = TaskGuest.SmallState;
        guest.Put(state + 14, 0x0000_0002 << 16 | TaskGuest.SmallCode); // IP and FLAGS
        guest.Put(state + 20, 0x7777); // CX
        guest.Put(state + 34, 0x10 | (0x08 << 16)); // ES, CS
        guest.Put(state + 38, 0x10 | (0x10 << 16)); // SS, DS
        guest.Runs();
        Assert.Equal(0x7777UL, guest.Register(Register.RCX) & 0xFFFF);
        Assert.Equal((ushort)0, guest.Processor.Segments[(int)SegmentName.Fs].Selector);
        Assert.Equal(Small, guest.Processor.Tables.Task.Selector);
    }

    /// <summary>Protected mode without paging: two tasks, gates for every exception, or a third task for one of them.</summary>
    private sealed class TaskGuest : IDisposable
    {
        public const uint HandlerState = 0x5200;
        public const uint SmallState = 0x5300;
        public const uint SmallCode = 0x900;
        private const uint GlobalTable = 0x4000;
        private const uint InterruptTable = 0x6000;
        private const uint SecondCode = 0x11_0000;
        private const uint HandlerCode = 0x12_0000;
        private const uint PlainHandler = 0x13_0000;
        private readonly CodeGuest _guest;

        public TaskGuest(Action<Assembler> first, Action<Assembler> second, int tasks = -1)
        {
            _guest = new CodeGuest(Assemble(first, CodeGuest.CodeAddress));
            ulong[] table =
            [
                0, 0x00CF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, State(FirstState, 103, 0x8B), State(SecondState, 103, 0x89),
                0x0000_8500_0000_0000 | ((ulong)Second << 16), State(SecondState, 102, 0x89), State(SecondState, 103, 0x09),
                State(SmallState, 43, 0x81), State(HandlerState, 103, 0x89),
            ];
            for (int i = 0; i < table.Length; i++)
            {
                _guest.Write(GlobalTable + ((ulong)i * 8), table[i]);
            }

            for (uint vector = 0; vector < 32; vector++)
            {
                ulong plain = (PlainHandler & 0xFFFF) | (8 << 16) | (0x8FUL << 40) | ((ulong)(PlainHandler >> 16) << 48);
                _guest.Write(InterruptTable + (vector * 8), vector == tasks ? (0x85UL << 40) | (0x48 << 16) : plain);
            }

            _guest.Write(SecondCode, Assemble(second, SecondCode));
            _guest.Write(SmallCode, Assemble(second, SmallCode));
            _guest.Write(HandlerCode, Assemble(Handle, HandlerCode));
            _guest.Write(PlainHandler, Assemble(Handle, PlainHandler));
            Fill(SecondState, SecondCode);
            Fill(HandlerState, HandlerCode);
            _guest.Machine.Start(new BootState
            {
                Mode = BootMode.Protected32, Rip = CodeGuest.CodeAddress, GeneralRegisters = [0, 0, 0, 0, CodeGuest.StackTop, .. new ulong[11]],
                Cr0 = 0x31, Cr3 = 0, Cr4 = 0, Efer = 0, Code = new SegmentState(8, 0, uint.MaxValue, 0xC09B), Data = new SegmentState(16, 0, uint.MaxValue, 0xC093),
                GlobalTable = default,
            });
            ref DescriptorTables tables = ref Processor.Tables;
            (tables.GdtBase, tables.GdtLimit, tables.IdtBase, tables.IdtLimit) = (GlobalTable, (ushort)((table.Length * 8) - 1), InterruptTable, 255);
            tables.Task = new SegmentRegister { Selector = First, Base = FirstState, Limit = 103, Attributes = 0x8B00 };
        }

        public Processor Processor => _guest.Machine.Processor;

        /// <summary>The exception that was met.</summary>
        public int Met => Array.FindIndex(Processor.Statistics.Vectors, count => count != 0);

        public ulong Register(Register register) => _guest[register];

        public uint Get(uint address) => (uint)(_guest.Read(address & ~7u) >> (int)((address & 7) * 8));

        public void Put(uint address, uint value)
        {
            Span<byte> bytes = stackalloc byte[4];
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
            _guest.Write(address, bytes);
        }

        public bool IsBusy(ushort selector) => (_guest.Read(GlobalTable + selector) >> 41 & 1) != 0;

        public void Runs() => _guest.Run();

        public void Dispose() => _guest.Dispose();

        /// <summary>The error code, and RIP of the frame.</summary>
        private static void Handle(Assembler h)
        {
            h.pop(eax);
            h.pop(ebx);
            h.hlt();
        }

        private void Fill(uint state, uint code)
        {
            Put(state + 32, code);
            Put(state + 36, 2);
            Put(state + 56, 0x1F_0000);
            foreach (uint offset in (uint[])[72, 80, 84, 88, 92])
            {
                Put(state + offset, 0x10);
            }

            Put(state + 76, 8);
        }

        private static ulong State(uint address, uint limit, uint access)
            => limit | ((ulong)(address & 0xFF_FFFF) << 16) | ((ulong)access << 40) | ((ulong)(address >> 24) << 56);

        private static byte[] Assemble(Action<Assembler> write, ulong address)
        {
            var assembler = new Assembler(32);
            write(assembler);
            using var bytes = new MemoryStream();
            assembler.Assemble(new StreamCodeWriter(bytes), address);
            return bytes.ToArray();
        }
    }
}
