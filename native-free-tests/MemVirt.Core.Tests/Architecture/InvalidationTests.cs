using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tests.Walking;
using MemVirt.Core.Tlb;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Architecture;

/// <summary>
/// What each instruction drops and what it keeps (Intel SDM Vol. 3A §4.10.4.1, Vol. 3C §28.4.3; AMD APM Vol. 2 §5.5, §15.16). A page is
/// dropped where the next access walks again. The invalidation names VPID 1, PCID 1 and the address of the local page.
/// </summary>
public sealed class InvalidationTests : IDisposable
{
    private const ulong Local = 0x40_0000;
    private const ulong Neighbour = 0x40_1000;
    private const ulong Global = 0x40_2000;
    private const ulong Page = 0x10_0000;
    private static readonly PagingContext _here = new(1, 1, User: true);
    private static readonly PagingContext _otherProcess = new(1, 2, User: true);
    private static readonly PagingContext _otherProcessor = new(2, 1, User: true);
    private static readonly PagingContext _host = new(0, 1, User: true);
    private static readonly PagingContext _otherStage = new(1, 1, User: true, SecondStage: 7);
    private readonly SparseMemory _memory = new();
    private readonly ReadCounts _reads = new();
    private readonly Mmu<PagingSource<IdentityStage, CountingReader>> _mmu;

    public InvalidationTests()
    {
        var tables = new TableBuilder<X64FourLevel>(_memory, new FrameAllocator(0x1000, Page));
        tables.Map(Local, Page);
        tables.Map(Neighbour, Page + 0x1000);
        tables.Map(Local + 0x5000, Page);
        tables.Map(Local + 0x6000, Page);
        ulong global = tables.Map(Global, Page + 0x2000);
        tables.Write(global, tables.Read(global) | (1 << 8));
        var registers = new PagingRegisters
        {
            Cr0 = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
            Cr3 = tables.Root,
            Cr4 = Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable | Cr4.ProcessContextEnable,
            Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
        };
        var caches = new PagingStructureCaches(
            CachedTable.HostPhysical, null, null, new TagArray(new SetGeometry(16, 4)));
        _mmu = new(new(default, new CountingReader(_memory, _reads), new GuestRules(ProcessorFeatures.Everything, registers), caches)
        {
            Cr3 = tables.Root,
        });
    }

    /// <summary>Which of the pages cached beforehand must be walked again.</summary>
    [Flags]
    public enum Dropped
    {
        None = 0,
        Local = 1,
        Neighbour = 2,
        Global = 4,
        OtherProcess = 8,
        OtherProcessor = 16,
        Host = 32,
        Everything = Local | Neighbour | Global | OtherProcess | OtherProcessor | Host,
    }

    public static TheoryData<string, Dropped> Instructions => new()
    {
        { "INVLPG", Dropped.Local },
        { "INVPCID 0", Dropped.Local },
        { "INVPCID 1", Dropped.Local | Dropped.Neighbour },
        { "INVPCID 2", Dropped.Local | Dropped.Neighbour | Dropped.Global | Dropped.OtherProcess },
        { "INVPCID 3", Dropped.Local | Dropped.Neighbour | Dropped.OtherProcess },
        { "INVVPID 0", Dropped.Local },
        { "INVVPID 1", Dropped.Local | Dropped.Neighbour | Dropped.Global | Dropped.OtherProcess },
        { "INVVPID 2", Dropped.Everything & ~Dropped.Host },
        { "VM entry without VPID", Dropped.Host },
        { "INVVPID 3", Dropped.Local | Dropped.Neighbour | Dropped.OtherProcess },
        { "INVEPT 1", Dropped.Everything },
        { "INVEPT 1, other", Dropped.None },
        { "INVEPT 2", Dropped.Everything },
        { "INVLPGA", Dropped.Local },
        { "INVLPGB address", Dropped.Local },
        { "INVLPGB PCID", Dropped.Local | Dropped.Neighbour },
        { "INVLPGB ASID", Dropped.Local | Dropped.Neighbour | Dropped.OtherProcess },
        { "INVLPGB ASID, globals", Dropped.Local | Dropped.Neighbour | Dropped.Global | Dropped.OtherProcess },
        { "INVLPGB all", Dropped.Everything },
        { "TLB_CONTROL 1", Dropped.Everything },
        { "TLB_CONTROL 3", Dropped.Local | Dropped.Neighbour | Dropped.Global | Dropped.OtherProcess },
        { "TLB_CONTROL 7", Dropped.Local | Dropped.Neighbour | Dropped.OtherProcess },
    };

    [Theory]
    [MemberData(nameof(Instructions))]
    public void An_instruction_drops_what_it_must_and_keeps_the_rest(string instruction, Dropped expected)
    {
        Warm();
        Warm();
        Assert.Equal(Dropped.None, Walked());
        _mmu.Invalidate(Of(instruction));
        Assert.Equal(expected, Walked());
    }

    /// <summary>Vol. 3C §28.4.3.1, APM Vol. 2 §15.16.3: the address in every PCID, global or not; other VPIDs owe nothing.</summary>
    [Theory]
    [InlineData(Local)]
    [InlineData(Global)]
    public void An_address_of_a_vpid_is_dropped_in_every_process(ulong address)
    {
        Warm();
        _mmu.Invalidate(TlbInvalidation.InvvpidAddress(1, GuestVirtualAddress.Create(address)));
        Assert.True(Walks(_here, address));
        Assert.Equal(address == Local, Walks(_otherProcess, address));
        Assert.False(Walks(_here, Neighbour));
        Assert.False(Walks(_otherProcess, Neighbour));
    }

    /// <summary>§4.10.4.1: INVLPG of a global page drops it in every PCID; INVPCID type 0 may leave it.</summary>
    [Fact]
    public void A_global_page_is_shared_by_processes_and_dropped_for_all_by_invlpg()
    {
        Warm();
        Assert.False(Walks(_otherProcess, Global));
        _mmu.SwitchContext(_otherProcess);
        _mmu.Invalidate(TlbInvalidation.Invlpg(1, 2, GuestVirtualAddress.Create(Global)));
        Assert.True(Walks(_here, Global));
        Assert.False(Walks(_otherProcess, Global));
    }

    /// <summary>§4.10.4.1: INVLPG drops the PCID's paging-structure caches whatever their address; INVPCID type 0 those of the address.</summary>
    [Fact]
    public void Invlpg_drops_the_walk_caches_of_the_whole_context()
    {
        Warm();
        _mmu.Invalidate(TlbInvalidation.InvpcidAddress(1, 1, GuestVirtualAddress.Create(Neighbour + 0x4000_0000)));
        _mmu.Invalidate(TlbInvalidation.InvpcidAddress(1, 1, GuestVirtualAddress.Create(0x8000_0000)));
        Assert.Equal(1, ReadsOf(Local + 0x5000));
        _mmu.Invalidate(TlbInvalidation.Invlpg(1, 1, GuestVirtualAddress.Create(0x8000_0000)));
        Assert.Equal(4, ReadsOf(Local + 0x6000));
    }

    /// <summary>Vol. 3C §28.4.3.1: an address dropped from combined mappings is dropped for every second stage.</summary>
    [Fact]
    public void With_several_second_stages_an_address_is_dropped_under_each()
    {
        Warm();
        Assert.True(Walks(_otherStage, Local));
        Assert.False(Walks(_otherStage, Local));
        _mmu.SwitchContext(_otherStage);
        _mmu.Invalidate(TlbInvalidation.Invlpg(1, 1, GuestVirtualAddress.Create(Local)));
        Assert.True(Walks(_otherStage, Local));
        Assert.True(Walks(_here, Local));
    }

    [Fact]
    public void Invept_of_one_second_stage_keeps_the_others()
    {
        Warm();
        Assert.True(Walks(_otherStage, Local));
        _mmu.Invalidate(TlbInvalidation.InveptContext(7));
        Assert.False(Walks(_here, Local));
        Assert.True(Walks(_otherStage, Local));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void A_reserved_tlb_control_is_refused(byte control)
        => Assert.Throws<ArgumentOutOfRangeException>(() => TlbInvalidation.TlbControl(control, 1));

    [Fact]
    public void Tlb_control_0_asks_for_nothing() => Assert.Null(TlbInvalidation.TlbControl(0, 1));

    public void Dispose() => _memory.Dispose();

    private static TlbInvalidation Of(string instruction)
    {
        var address = GuestVirtualAddress.Create(Local);
        return instruction switch
        {
            "INVLPG" => TlbInvalidation.Invlpg(1, 1, address),
            "INVPCID 0" => TlbInvalidation.InvpcidAddress(1, 1, address),
            "INVPCID 1" => TlbInvalidation.InvpcidContext(1, 1),
            "INVPCID 2" => TlbInvalidation.InvpcidAll(1),
            "INVPCID 3" => TlbInvalidation.InvpcidAllButGlobals(1),
            "INVVPID 0" => TlbInvalidation.InvvpidAddress(1, address),
            "INVVPID 1" => TlbInvalidation.InvvpidContext(1),
            "INVVPID 2" => TlbInvalidation.InvvpidAll(),
            "VM entry without VPID" => TlbInvalidation.VmTransitionWithoutVpid(),
            "INVVPID 3" => TlbInvalidation.InvvpidContextButGlobals(1),
            "INVEPT 1" => TlbInvalidation.InveptContext(0),
            "INVEPT 1, other" => TlbInvalidation.InveptContext(7),
            "INVEPT 2" => TlbInvalidation.InveptAll(),
            "INVLPGA" => TlbInvalidation.Invlpga(1, address),
            "INVLPGB address" => TlbInvalidation.Invlpgb(address, 1, 1, includesGlobals: true),
            "INVLPGB PCID" => TlbInvalidation.Invlpgb(null, 1, 1, includesGlobals: false),
            "INVLPGB ASID" => TlbInvalidation.Invlpgb(null, null, 1, includesGlobals: false),
            "INVLPGB ASID, globals" => TlbInvalidation.Invlpgb(null, null, 1, includesGlobals: true),
            "INVLPGB all" => TlbInvalidation.Invlpgb(null, null, null, includesGlobals: true),
            "TLB_CONTROL 1" => TlbInvalidation.TlbControl(1, 1)!.Value,
            "TLB_CONTROL 3" => TlbInvalidation.TlbControl(3, 1)!.Value,
            _ => TlbInvalidation.TlbControl(7, 1)!.Value,
        };
    }

    private void Warm()
    {
        foreach (PagingContext context in new[] { _otherProcess, _otherProcessor, _host, _here })
        {
            Walks(context, Local);
            Walks(context, Neighbour);
            Walks(context, Global);
        }
    }

    private Dropped Walked()
        => (Walks(_here, Local) ? Dropped.Local : 0)
           | (Walks(_here, Neighbour) ? Dropped.Neighbour : 0)
           | (Walks(_here, Global) ? Dropped.Global : 0)
           | (Walks(_otherProcess, Neighbour) ? Dropped.OtherProcess : 0)
           | (Walks(_otherProcessor, Neighbour) ? Dropped.OtherProcessor : 0)
           | (Walks(_host, Neighbour) ? Dropped.Host : 0);

    private bool Walks(PagingContext context, ulong address)
    {
        _mmu.SwitchContext(context);
        long before = _mmu.Walks;
        Assert.Equal(TranslationStatus.Ok, _mmu.Translate(GuestVirtualAddress.Create(address), MemoryAccess.Read, out _));
        return _mmu.Walks > before;
    }

    private int ReadsOf(ulong address)
    {
        _mmu.SwitchContext(_here);
        long before = _reads.Guest;
        _mmu.Translate(GuestVirtualAddress.Create(address), MemoryAccess.Read, out _);
        return (int)(_reads.Guest - before);
    }
}
