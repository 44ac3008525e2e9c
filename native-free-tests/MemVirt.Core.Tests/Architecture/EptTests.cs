using MemVirt.Core.Access;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;

namespace MemVirt.Core.Tests.Architecture;

/// <summary>EPT beyond plain translation, a section of the Intel SDM Vol. 3C beside each test (edition of chapters 25 to 28).</summary>
public class EptTests
{
    private const AccessRights UserRead = AccessRights.Read | AccessRights.User;
    private const AccessRights UserWrite = AccessRights.Write | AccessRights.User;
    private const AccessRights UserFetch = AccessRights.Execute | AccessRights.User;
    private const ulong Accessed = 1UL << 8;
    private const ulong Dirty = 1UL << 9;

    /// <summary>Table 27-7: the access in bits 2:0, the entries' rights in 5:3, valid in 7, final in 8, the linear address in 11:9.</summary>
    [Theory]
    [InlineData(AccessRights.Read, 0x6UL, 0x1UL | (6UL << 3))]
    [InlineData(AccessRights.Write, 0x5UL, 0x2UL | (5UL << 3))]
    [InlineData(AccessRights.Execute, 0x3UL, 0x4UL | (3UL << 3))]
    [InlineData(AccessRights.Write, 0x1UL, 0x2UL | (1UL << 3))]
    [InlineData(AccessRights.Read, 0x0UL, 0x1UL)]
    public void A_violation_of_the_final_access_reports_access_and_rights(AccessRights access, ulong leafRights, ulong expected)
    {
        using var guest = new EptGuest(EptSettings.Default);
        guest.Put(EptGuest.EptLeaf(EptGuest.PageGpa), (EptGuest.HostOfGuest + EptGuest.PageGpa) | 0x30 | leafRights);
        Translation fault = guest.Access(access | AccessRights.User);
        // 010b and 110b are misconfigurations; the others are violations.
        bool misconfigured = leafRights is 2 or 6;
        Assert.Equal(
            misconfigured ? TranslationStatus.SecondStageMisconfigured
            : leafRights == 0 ? TranslationStatus.SecondStageNotPresent : TranslationStatus.SecondStageProtection,
            fault.Status);
        const ulong userWritableExecutable = (1UL << 9) | (1UL << 10);
        Assert.Equal(misconfigured ? 0 : expected | (1UL << 7) | (1UL << 8) | userWritableExecutable, fault.FaultCode);
        Assert.Equal(EptGuest.PageGpa, fault.GuestPhysical);
        Assert.False(fault.IsTableAccess);
    }

    /// <summary>§28.3.3.2 and the footnote of table 27-7: with accessed and dirty flags a table access reads and writes.</summary>
    [Theory]
    [InlineData(true, 0x3UL)]
    [InlineData(false, 0x1UL)]
    public void A_violation_of_a_table_access_is_a_write_too_with_accessed_and_dirty_flags(bool flags, ulong access)
    {
        using var guest = new EptGuest(EptSettings.Default with { AccessedAndDirty = flags });
        guest.Put(EptGuest.EptLeaf(EptGuest.GuestTable(1)), 0);
        Translation fault = guest.Access(UserRead);
        Assert.Equal(TranslationStatus.SecondStageNotPresent, fault.Status);
        Assert.Equal(access | (1UL << 7), fault.FaultCode);
        Assert.Equal(EptGuest.GuestTable(1) + TableGeometry.EntryOffset(EptGuest.Linear, 1), fault.GuestPhysical);
        Assert.True(fault.IsTableAccess);
    }

    /// <summary>§28.3.3.2: without EPT flags, setting a guest's accessed flag is a write to the table, reading it is not.</summary>
    [Fact]
    public void A_read_only_table_is_walked_until_a_flag_must_be_set()
    {
        using var guest = new EptGuest(EptSettings.Default with { AccessedAndDirty = false });
        ulong tablePage = EptGuest.GuestTable(0);
        guest.Put(EptGuest.EptLeaf(tablePage), (EptGuest.HostOfGuest + tablePage) | 0x35);
        Translation fault = guest.Access(UserRead);
        Assert.Equal(TranslationStatus.SecondStageProtection, fault.Status);
        Assert.Equal(0x2UL | (5UL << 3) | (1UL << 7), fault.FaultCode);
        Assert.True(fault.IsTableAccess);
        Assert.Equal(EptGuest.PageGpa | 7, guest[EptGuest.GuestEntry(0)]);

        guest.Put(EptGuest.GuestEntry(0), EptGuest.PageGpa | 0x27);
        Assert.Equal(TranslationStatus.Ok, guest.Access(UserRead).Status);
        Assert.Equal(TranslationStatus.SecondStageProtection, guest.Access(UserWrite).Status);
    }

    /// <summary>§28.3.3.1: the settings that are misconfigurations, at a leaf and above it.</summary>
    [Theory]
    [InlineData(0, 0x2UL, true)]
    [InlineData(0, 0x6UL, true)]
    [InlineData(0, 0x4UL, false)]
    [InlineData(0, 0x17UL, true)]
    [InlineData(0, 0x1FUL, true)]
    [InlineData(0, 0x3FUL, true)]
    [InlineData(0, 0x0FUL, false)]
    [InlineData(1, 0x2UL, true)]
    [InlineData(1, 0x0FUL, true)]
    [InlineData(2, 0x47UL, true)]
    [InlineData(3, 0x87UL, true)]
    public void Reserved_settings_are_misconfigurations(int level, ulong low, bool misconfigured)
    {
        using var guest = new EptGuest(EptSettings.Default);
        ulong place = level == 0 ? EptGuest.EptLeaf(EptGuest.PageGpa) : EptGuest.EptTable((ulong)level);
        ulong address = level == 0 ? EptGuest.HostOfGuest + EptGuest.PageGpa : EptGuest.EptTable((ulong)level - 1);
        guest.Put(place, address | low);
        AccessRights needed = (low & 7) == 4 ? UserFetch : UserRead;
        Translation translation = guest.Access(needed);
        Assert.Equal(misconfigured ? TranslationStatus.SecondStageMisconfigured : TranslationStatus.Ok, translation.Status);
    }

    /// <summary>§28.3.3.1: execute-only where the processor does not support it; address bits beyond MAXPHYADDR.</summary>
    [Fact]
    public void What_the_processor_lacks_is_a_misconfiguration()
    {
        using var guest = new EptGuest(EptSettings.Default with { ExecuteOnlyPages = false, PhysicalAddressBits = 40 });
        ulong leaf = EptGuest.EptLeaf(EptGuest.PageGpa);
        guest.Put(leaf, (EptGuest.HostOfGuest + EptGuest.PageGpa) | 0x34);
        Assert.Equal(TranslationStatus.SecondStageMisconfigured, guest.Access(UserFetch).Status);
        guest.Put(leaf, (1UL << 40) | (EptGuest.HostOfGuest + EptGuest.PageGpa) | 0x37);
        Assert.Equal(TranslationStatus.SecondStageMisconfigured, guest.Access(UserRead).Status);
    }

    /// <summary>§28.3.2, mode-based execute control: bit 2 binds supervisor-mode linear addresses, bit 10 user-mode ones.</summary>
    [Theory]
    [InlineData(true, 1UL << 10, true)]
    [InlineData(true, 1UL << 2, false)]
    [InlineData(false, 1UL << 10, false)]
    [InlineData(false, 1UL << 2, true)]
    public void Mode_based_execute_control_looks_at_the_mode_of_the_address(bool user, ulong executeBit, bool allowed)
    {
        using var guest = new EptGuest(EptSettings.Default with { ModeBasedExecute = true }, user: user);
        ulong table = EptGuest.EptTable(3);
        for (ulong level = 3; level >= 1; level--)
        {
            table = EptGuest.EptTable(level);
            guest.Put(table, guest[table] | (1UL << 10));
        }

        guest.Put(EptGuest.EptLeaf(EptGuest.PageGpa), (EptGuest.HostOfGuest + EptGuest.PageGpa) | 0x31 | executeBit);
        Translation translation = guest.Access(user ? UserFetch : AccessRights.Execute);
        Assert.Equal(allowed ? TranslationStatus.Ok : TranslationStatus.SecondStageProtection, translation.Status);
        if (!allowed)
        {
            ulong granted = executeBit == 1UL << 2 ? (1UL << 3) | (1UL << 5) : (1UL << 3) | (1UL << 6);
            Assert.Equal(0x4UL | granted | (1UL << 7) | (1UL << 8), translation.FaultCode & 0x1FF);
        }
    }

    /// <summary>§28.3.5: an access sets the accessed flag of what it uses, a write the dirty flag of the leaf; a table access writes.</summary>
    [Fact]
    public void Accessed_and_dirty_flags_are_set_as_accesses_need_them()
    {
        using var guest = new EptGuest(EptSettings.Default);
        Assert.Equal(TranslationStatus.Ok, guest.Access(UserRead).Status);
        Assert.Equal(Accessed, guest[EptGuest.EptLeaf(EptGuest.PageGpa)] & (Accessed | Dirty));
        Assert.Equal(Accessed | Dirty, guest[EptGuest.EptLeaf(EptGuest.GuestTable(0))] & (Accessed | Dirty));
        Assert.Equal(Accessed, guest[EptGuest.EptTable(2)] & (Accessed | Dirty));
        Assert.Equal(TranslationStatus.Ok, guest.Access(UserWrite).Status);
        Assert.Equal(Accessed | Dirty, guest[EptGuest.EptLeaf(EptGuest.PageGpa)] & (Accessed | Dirty));
    }

    /// <summary>§28.3.6: each dirty flag that becomes 1 is logged, tables too, from index 511 down.</summary>
    [Fact]
    public void The_modification_log_holds_the_pages_that_became_dirty()
    {
        var log = new PageModificationLog();
        using var guest = new EptGuest(EptSettings.Default, log);
        Assert.Equal(TranslationStatus.Ok, guest.Access(UserWrite).Status);
        Assert.Equal(new ulong[] { 0x5000, 0x4000, 0x3000, 0x2000, 0x1000 }, log.Logged.ToArray());
        Assert.Equal(TranslationStatus.Ok, guest.Access(UserWrite).Status);
        Assert.Equal(506, log.Index);
    }

    /// <summary>§28.3.6: with the index out of range an access that must set a flag exits before it sets any; others go on.</summary>
    [Fact]
    public void A_full_log_stops_the_access_that_must_set_a_flag()
    {
        var log = new PageModificationLog();
        using var guest = new EptGuest(EptSettings.Default, log);
        Assert.Equal(TranslationStatus.Ok, guest.Access(UserRead).Status);
        log.Index = 0xFFFF;
        ulong before = guest[EptGuest.EptLeaf(EptGuest.PageGpa)];
        Assert.Equal(TranslationStatus.Ok, guest.Access(UserRead).Status);
        Assert.Equal(TranslationStatus.PageModificationLogFull, guest.Access(UserWrite).Status);
        Assert.Equal(before, guest[EptGuest.EptLeaf(EptGuest.PageGpa)]);
        Assert.Equal(0, (int)(guest[EptGuest.GuestEntry(0)] >> 6) & 1);
        log.Reset();
        Assert.Equal(TranslationStatus.Ok, guest.Access(UserWrite).Status);
        Assert.Equal(1, log.Logged.Length);
    }

    /// <summary>§25.5.7.1: a violation may become a #VE where bit 63 of the entry that decides is 0; a misconfiguration never.</summary>
    [Theory]
    [InlineData(0UL, true)]
    [InlineData(1UL << 63, false)]
    [InlineData(0x31UL, true)]
    [InlineData(0x31UL | (1UL << 63), false)]
    public void Suppression_of_virtualization_exceptions_is_in_the_deciding_entry(ulong leaf, bool convertible)
    {
        using var guest = new EptGuest(EptSettings.Default);
        ulong address = (leaf & 7) == 0 ? 0 : EptGuest.HostOfGuest + EptGuest.PageGpa;
        guest.Put(EptGuest.EptLeaf(EptGuest.PageGpa), address | leaf);
        Translation fault = guest.Access(UserWrite);
        Assert.Equal(convertible, fault.IsConvertible);
        guest.Put(EptGuest.EptLeaf(EptGuest.PageGpa), 2);
        Assert.False(guest.Access(UserWrite).IsConvertible);
    }

    /// <summary>§28.3.4: each 128 bytes have a write right; a missing table and a malformed one are events of their own.</summary>
    [Fact]
    public void Sub_page_permissions_decide_writes_of_128_bytes()
    {
        const ulong Spp = 0x20_0000;
        using var guest = new EptGuest(EptSettings.Default with { SubPageWrite = true, SubPageTableRoot = Spp });
        ulong leaf = EptGuest.EptLeaf(EptGuest.PageGpa);
        guest.Put(leaf, (EptGuest.HostOfGuest + EptGuest.PageGpa) | 0x31 | (1UL << 61));
        Translation missing = guest.Access(UserWrite);
        Assert.Equal(TranslationStatus.SubPagePermissionEvent, missing.Status);
        Assert.Equal(1UL << 11, missing.FaultCode);

        guest.Put(Spp, (Spp + 0x1000) | 1);
        guest.Put(Spp + 0x1000, (Spp + 0x2000) | 1);
        guest.Put(Spp + 0x2000, (Spp + 0x3000) | 1);
        const ulong ThirdPiece = 1UL << (2 * 3);
        guest.Put(Spp + 0x3000 + (5 * 8), ThirdPiece);
        Translation allowed = guest.Access(UserWrite, EptGuest.Linear + (3 * 128));
        Assert.Equal(TranslationStatus.Ok, allowed.Status);
        Assert.False(allowed.StoreOk);
        Assert.Equal(TranslationStatus.SecondStageProtection, guest.Access(UserWrite, EptGuest.Linear + (4 * 128)).Status);
        Assert.Equal(TranslationStatus.Ok, guest.Access(UserRead).Status);

        guest.Put(Spp + 0x3000 + (5 * 8), ThirdPiece | 2);
        Translation malformed = guest.Access(UserWrite, EptGuest.Linear + (3 * 128));
        Assert.Equal(TranslationStatus.SubPagePermissionEvent, malformed.Status);
        Assert.Equal(0UL, malformed.FaultCode);
    }

    /// <summary>§28.3.2: an address of more bits than the tables translate is a violation with no rights.</summary>
    [Fact]
    public void A_guest_physical_address_beyond_the_tables_is_a_violation()
    {
        using var guest = new EptGuest(EptSettings.Default);
        guest.Put(EptGuest.GuestEntry(0), (1UL << 50) | 7);
        Translation fault = guest.Access(UserRead);
        Assert.Equal(TranslationStatus.SecondStageNotPresent, fault.Status);
        Assert.Equal(0x1UL | (1UL << 7) | (1UL << 8), fault.FaultCode & 0x1FF);
    }

    /// <summary>VMFUNC leaf 0: another EPTP is another root and another tag.</summary>
    [Fact]
    public void Switching_the_ept_pointer_switches_the_tables()
    {
        using var guest = new EptGuest(EptSettings.Default);
        Assert.Equal(EptGuest.HostOfGuest + EptGuest.PageGpa, guest.Access(UserRead).HostPage);
        const ulong Other = 0x30_0000;
        for (ulong level = 3; level >= 1; level--)
        {
            guest.Put(Other + ((3 - level) << 12), (Other + ((4 - level) << 12)) | 7);
        }

        for (ulong frame = 1; frame <= 5; frame++)
        {
            ulong host = frame == 5 ? 0x77_7000 : EptGuest.HostOfGuest + (frame << 12);
            guest.Put(Other + 0x3000 + (frame * 8), host | 0x37);
        }

        guest.Source.Stage.Root = Other;
        guest.Source.Stage.Context = 2;
        Assert.Equal(0x77_7000UL, guest.Access(UserRead).HostPage);
    }

    /// <summary>§24.6.11, table 24-8: what a pointer says, and which VM entry takes.</summary>
    [Theory]
    [InlineData(0x1234_505EUL, true, 4, true)]
    [InlineData(0x1234_5066UL, true, 5, true)]
    [InlineData(0x1234_5018UL, true, 4, false)]
    [InlineData(0x1234_501DUL, false, 4, false)]
    [InlineData(0x1234_5016UL, false, 3, false)]
    [InlineData(0x1234_511EUL, false, 4, false)]
    [InlineData(0x100_1234_501EUL, false, 4, false)]
    public void An_ept_pointer_says_root_levels_and_flags(ulong value, bool valid, int levels, bool flags)
    {
        var pointer = new EptPointer(value);
        Assert.Equal(valid, pointer.IsValid(physicalAddressBits: 40, fiveLevels: true));
        Assert.Equal(levels, pointer.Levels);
        Assert.Equal(flags, pointer.AccessedAndDirty);
        Assert.Equal(value & 0xF_FFFF_FFFF_F000, pointer.Root);
    }

    /// <summary>§25.5.6.3: VMFUNC leaf 0 takes a valid pointer of the list; another index or pointer is a VM exit.</summary>
    [Fact]
    public void A_guest_selects_a_pointer_from_the_list()
    {
        using var guest = new EptGuest(EptSettings.Default);
        guest.Put(0x50_0000 + (3 * 8), EptPointer.Create(0x1000).Value);
        guest.Put(0x50_0000 + (4 * 8), 0x1000 | 5);
        var list = new EptPointerList(guest.Memory, 0x50_0000);
        Assert.True(list.TrySelect(3, out EptPointer pointer));
        Assert.Equal(0x1000UL, pointer.Root);
        Assert.False(list.TrySelect(4, out _));
        Assert.False(list.TrySelect(512, out _));
    }

    /// <summary>§25.5.7.2: the area's fields, and that a busy area makes the violation a VM exit.</summary>
    [Fact]
    public void A_virtualization_exception_is_described_once_until_the_guest_clears_the_area()
    {
        const ulong Area = 0x60_0000;
        using var guest = new EptGuest(EptSettings.Default);
        guest.Put(Area, 0);
        guest.Put(EptGuest.EptLeaf(EptGuest.PageGpa), 0);
        Translation fault = guest.Access(UserWrite);
        var area = new VirtualizationExceptionArea(guest.Memory, Area);
        Assert.False(area.TryRecord(in fault, EptGuest.Linear, 9, deliversEvent: true));
        Assert.True(area.TryRecord(in fault, EptGuest.Linear, 9));
        Assert.Equal(0xFFFF_FFFF_0000_0030UL, guest[Area]);
        Assert.Equal(fault.FaultCode, guest[Area + 8]);
        Assert.Equal(EptGuest.Linear, guest[Area + 16]);
        Assert.Equal(EptGuest.PageGpa, guest[Area + 24]);
        Assert.Equal(9UL, guest[Area + 32]);
        Assert.False(area.TryRecord(in fault, EptGuest.Linear, 9));
        guest.Put(Area, 48);
        Assert.True(area.TryRecord(in fault, EptGuest.Linear, 9));
    }
}
