using MemVirt.Core.Addresses;
using MemVirt.Simulation.Machines;

namespace MemVirt.Simulation.Tests.Machines;

public sealed class MachinePresetsTests
{
    public static TheoryData<string> Names => [.. MachinePresets.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_preset_is_a_machine_file_that_can_be_saved_and_read_back(string name)
    {
        string path = Path.Combine(Directory.CreateTempSubdirectory("memvirt-test-").FullName, "mine.json");
        try
        {
            File.WriteAllBytes(path, MachinePresets.Json(name).ToArray());
            MachineDescription fromFile = MachineFile.Load(path);
            MachineDescription preset = MachinePresets.Load(name);
            Assert.Equal(name, fromFile.Name);
            Assert.Equivalent(preset, fromFile, strict: true);
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_preset_names_its_sources_and_prices_every_exit(string name)
    {
        MachineDescription machine = MachinePresets.Load(name);
        Assert.NotEmpty(machine.Sources);
        Assert.InRange(machine.Costs.ExitCycles, 1000, 1400);
        Assert.InRange(machine.Costs.GuestFaultCycles, 1000, 1500);
        Assert.All(
            [machine.Costs.HandlerCycles.SecondStageFaults, machine.Costs.HandlerCycles.ShadowFaults, machine.Costs.HandlerCycles.Unsyncs],
            cycles => Assert.True(cycles > 0));
    }

    [Theory]
    [InlineData("skylake", "4k 128 8; 2m 8", "4k 64 4; 2m 32 4; 1g 4", "4k+2m 1536 12 xor; 1g 16 4")]
    [InlineData("icelake", "4k 128 8; 2m 16", "4k 64 4; 2m 32 4; 1g 8", "4k+2m 2048 16; 1g 16 4")]
    [InlineData("goldencove", "4k 256 8; 2m 16", "4k 96 6; 2m 32 4; 1g 8", "4k+2m 2048 16; 1g 16 4")]
    [InlineData("zen2", "4k+2m+1g 64", "4k+2m+1g 64", "4k+2m 2048 16")]
    [InlineData("zen4", "4k+2m+1g 64", "4k+2m+1g 72", "4k+2m 3072 12")]
    [InlineData("zen5", "4k+2m+1g 64", "4k+2m+1g 96", "4k+2m 4096 8")]
    [InlineData("teaching", "4k+2m 16 4", "4k+2m 16 4", "4k+2m 64 4")]
    public void A_preset_has_the_TLBs_of_its_core(string name, string l1i, string l1d, string l2)
    {
        TlbDescription tlb = MachinePresets.Load(name).Tlb;
        Assert.Equal((l1i, l1d, l2), (Describe(tlb.L1i), Describe(tlb.L1d), Describe(tlb.L2)));
    }

    [Theory]
    [InlineData("skylake", WalkCacheContent.HostPhysical, WalkerEntry.L1d)]
    [InlineData("icelake", WalkCacheContent.HostPhysical, WalkerEntry.L1d)]
    [InlineData("goldencove", WalkCacheContent.HostPhysical, WalkerEntry.L1d)]
    [InlineData("zen2", WalkCacheContent.GuestPhysical, WalkerEntry.L2)]
    [InlineData("zen4", WalkCacheContent.GuestPhysical, WalkerEntry.L2)]
    [InlineData("zen5", WalkCacheContent.GuestPhysical, WalkerEntry.L2)]
    public void A_preset_walks_as_its_vendor_does(string name, WalkCacheContent holds, WalkerEntry entersAt)
    {
        MachineDescription machine = MachinePresets.Load(name);
        WalkCachesDescription caches = machine.WalkCaches!;
        Assert.Equal((holds, entersAt), (caches.Holds, machine.Caches!.WalkerEntersAt));
        Assert.Equal((2, null), (caches.Pml4e!.Entries, caches.NestedPml4e!.Ways));
        Assert.Equal((4, 4), (caches.Pdpte!.Entries, caches.NestedPdpte!.Ways));
        Assert.Equal((32, 4), (caches.Pde!.Entries, caches.NestedPde!.Ways));
        Assert.Equal((16, null), (caches.NestedTlb!.Entries, caches.NestedTlb.Ways));
    }

    [Fact]
    public void The_teaching_machine_has_neither_walk_caches_nor_data_caches()
    {
        MachineDescription machine = MachinePresets.Load("teaching");
        Assert.Null(machine.WalkCaches);
        Assert.Null(machine.Caches);
        Assert.Equal(14, machine.WalkReferenceCycles);
    }

    [Fact]
    public void An_unknown_preset_is_answered_with_the_known_ones()
    {
        string message = Assert.Throws<MachineException>(() => MachinePresets.Load("../teaching")).Message;
        Assert.Contains("teaching, skylake, icelake, goldencove, zen2, zen4, zen5", message, StringComparison.Ordinal);
    }

    private static string Describe(IReadOnlyList<TlbStructureDescription> level) => string.Join("; ", level.Select(structure =>
        $"{string.Join('+', structure.PageSizes.Select(Describe))} {structure.Entries}"
        + (structure.Ways is int ways ? $" {ways}" : "")
        + (structure.Index == SetIndex.Xor ? " xor" : "")));

    private static string Describe(PageSize size) => size switch
    {
        PageSize.Size4K => "4k",
        PageSize.Size2M => "2m",
        _ => "1g",
    };
}
