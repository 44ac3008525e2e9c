using MemVirt.Core.Access;
using MemVirt.Core.Registers;
using MemVirt.Native.Guests;
using MemVirt.Native.Kvm;

namespace MemVirt.Native.Tests;

/// <summary>One access at a time in a real guest.</summary>
public sealed class GuestTests
{
    private const ulong Address = 0x80_4060_1123;
    private const ulong Table = GuestLayout.Arena;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    [SkippableTheory]
    [InlineData(0, MemoryAccess.Read)]
    [InlineData(0, MemoryAccess.Write)]
    [InlineData(3, MemoryAccess.Read)]
    [InlineData(3, MemoryAccess.Write)]
    [InlineData(3, MemoryAccess.Fetch)]
    public void A_mapped_page_can_be_accessed_and_its_entries_are_marked(byte privilegeLevel, MemoryAccess access)
    {
        (GuestReport report, ulong leaf) = HostKvm.InGuest(guest =>
        {
            Map(guest, GuestLayout.Target | 7);
            return (guest.Access(Registers(privilegeLevel), access, Address - 1, Limit), guest.Machine.Word(Table + 0x3008));
        });
        Assert.True(report.Succeeded, report.ToString());
        Assert.Equal(access == MemoryAccess.Write ? 0x67UL : 0x27UL, leaf & 0xFFF);
    }

    [SkippableTheory]
    [InlineData(0UL, 0x6)]
    [InlineData(GuestLayout.Target | 3, 0x7)]
    [InlineData(GuestLayout.Target | 5, 0x7)]
    [InlineData(GuestLayout.Target | 7 | (1UL << 51), 0xF)]
    public void A_user_write_that_is_not_allowed_faults_with_its_error_code_and_address(ulong leaf, uint errorCode)
    {
        GuestReport report = HostKvm.InGuest(guest =>
        {
            Map(guest, leaf);
            return guest.Access(Registers(3), MemoryAccess.Write, Address, Limit);
        });
        Assert.True(report.Faulted, report.ToString());
        Assert.Equal((errorCode, Address), (report.ErrorCode, report.Cr2));
    }

    /// <summary>jmp to itself, from user mode: nothing but the watchdog ends it.</summary>
    [SkippableFact]
    public void A_guest_that_spins_is_stopped_when_its_time_is_over()
    {
        (KvmExit exit, GuestReport after) = HostKvm.InGuest(guest =>
        {
            Map(guest, GuestLayout.Target | 7);
            guest.Machine.Bytes(GuestLayout.UserStubs + 0x100, 2)[0] = 0xEB;
            guest.Machine.Bytes(GuestLayout.UserStubs + 0x100, 2)[1] = 0xFE;
            var spin = new KvmRegisters { Rip = GuestLayout.UserStubs + 0x100, Rflags = 2, Rsp = GuestLayout.StackTop };
            KvmExit stopped = guest.Run(Registers(3), in spin, TimeSpan.FromMilliseconds(100));
            return (stopped, guest.Access(Registers(3), MemoryAccess.Read, Address, Limit));
        });
        Assert.Equal(KvmExit.TimedOut, exit);
        Assert.True(after.Succeeded, after.ToString());
    }

    [SkippableFact]
    public void Cancellation_ends_a_guest_that_spins()
    {
        using KvmDevice device = HostKvm.Open();
        using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        Assert.ThrowsAny<OperationCanceledException>(() => VirtualProcessorThread.Execute(
            thread =>
            {
                using var guest = new Guest(device, thread, HostKvm.MemoryBytes);
                Map(guest, GuestLayout.Target | 7);
                guest.Machine.Word(GuestLayout.UserStubs + 0x100) = 0xFEEB;
                var spin = new KvmRegisters { Rip = GuestLayout.UserStubs + 0x100, Rflags = 2, Rsp = GuestLayout.StackTop };
                return guest.Run(Registers(3), in spin, TimeSpan.FromMinutes(5));
            },
            cancellation.Token));
    }

    private static PagingRegisters Registers(byte privilegeLevel)
        => Guest.LongMode with { Cr3 = Table, CurrentPrivilegeLevel = privilegeLevel };

    /// <summary>Maps the page of <see cref="Address"/> by four fresh tables: indices 1, 1, 3, 1.</summary>
    private static void Map(Guest guest, ulong leaf)
    {
        guest.Machine.Word(Table) = GuestImage.FixedRootEntry;
        guest.Machine.Word(Table + 8) = (Table + 0x1000) | 7;
        guest.Machine.Word(Table + 0x1008) = (Table + 0x2000) | 7;
        guest.Machine.Word(Table + 0x2018) = (Table + 0x3000) | 7;
        guest.Machine.Word(Table + 0x3008) = leaf;
    }
}
