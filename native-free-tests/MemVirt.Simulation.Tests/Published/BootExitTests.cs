using System.Globalization;
using MemVirt.Simulation.Machines;
using Xunit.Abstractions;

namespace MemVirt.Simulation.Tests.Published;

/// <summary>
/// Exits of a guest that boots, under EPT and under shadow paging, beside those that were reported of a Linux guest in KVM;
/// docs/published.md names the source and says what differs.
/// </summary>
[Trait("Category", "published")]
public sealed class BootExitTests(ITestOutputHelper output)
{
    /// <summary>As reported, without EPT. Reason 0 is exceptions and NMIs together, of which #PF are nearly all there.</summary>
    private static readonly ExitCounts PublishedShadow = new() { ControlRegister = 8_618_699, GuestFaults = 1_566_621, Invlpg = 171_510 };

    /// <summary>As reported, with EPT.</summary>
    private static readonly ExitCounts PublishedEpt = new() { ControlRegister = 18_175, GuestFaults = 8_407, EptViolation = 35_708 };

    private static readonly Lazy<Boot> Ept = new(() => Run(new EptMachine(MachinePresets.Load("skylake")), isolation: true));
    private static readonly Lazy<Boot> Shadow = new(() => Run(new ShadowMachine(MachinePresets.Load("skylake")), isolation: true));

    [Fact]
    public void Exits_of_a_boot_are_these()
    {
        output.WriteLine($"seed {BootMix.Seed}; {Ept.Value}");
        output.WriteLine($"shadow {Shadow.Value.Exits}");
        Assert.Equal(new ExitCounts { EptViolation = 7_872 }, Ept.Value.Exits);
        Assert.Equal(
            new ExitCounts
            {
                ControlRegister = 1_033_576, GuestFaults = 39_761, ShadowFaults = 55_971, TableWrites = 9_433, Unsyncs = 23_729,
                Invlpg = 26_168,
            },
            Shadow.Value.Exits);
    }

    [Fact]
    public void The_page_says_so()
    {
        (string Reason, Func<ExitCounts, long> Count)[] rows =
        [
            ("28, control-register access", exits => exits.ControlRegister),
            ("0, exception or NMI; here #PF", exits => exits.PageFault),
            ("14, INVLPG", exits => exits.Invlpg),
            ("48, EPT violation", exits => exits.EptViolation),
            ("these four", exits => exits.Total),
        ];
        foreach ((string reason, Func<ExitCounts, long> count) in rows)
        {
            ExitCounts[] columns = [PublishedEpt, PublishedShadow, Ept.Value.Exits, Shadow.Value.Exits];
            string cells = string.Join(" | ", columns.Select(exits => count(exits).ToString("N0", CultureInfo.InvariantCulture)));
            Assert.Contains($"| {reason} | {cells} |\n", PublishedPage.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Both_machines_see_the_same_guest()
        => Assert.Equal(Ept.Value with { Exits = Shadow.Value.Exits }, Shadow.Value);

    [Fact]
    public void Under_EPT_the_first_touch_of_each_guest_page_exits_and_nothing_else()
        => Assert.Equal(new ExitCounts { EptViolation = Ept.Value.Frames }, Ept.Value.Exits);

    [Fact]
    public void Under_shadow_paging_each_access_of_CR3_each_fault_and_each_INVLPG_of_the_guest_exits()
    {
        (GuestEvents guest, _, ExitCounts exits) = Shadow.Value;
        Assert.Equal(guest.ControlRegisterAccesses, exits.ControlRegister);
        Assert.Equal(guest.PageFaults, exits.GuestFaults);
        Assert.Equal(guest.Invlpg, exits.Invlpg);
        Assert.Equal(PublishedShadow.EptViolation, exits.EptViolation);
    }

    [Fact]
    public void Under_shadow_paging_control_registers_come_first_then_page_faults_then_INVLPG()
    {
        ExitCounts shadow = Shadow.Value.Exits;
        InShape(Ratio(PublishedShadow.ControlRegister, PublishedShadow.Total), Ratio(shadow.ControlRegister, shadow.Total), 1.1);
        InShape(Ratio(PublishedShadow.ControlRegister, PublishedShadow.PageFault), Ratio(shadow.ControlRegister, shadow.PageFault), 2);
        InShape(Ratio(PublishedShadow.PageFault, PublishedShadow.Invlpg), Ratio(shadow.PageFault, shadow.Invlpg), 2);
    }

    [Fact]
    public void Exits_of_paging_are_a_hundredfold_without_EPT()
        => InShape(Ratio(PublishedShadow.Total, PublishedEpt.Total), Ratio(Shadow.Value.Exits.Total, Ept.Value.Exits.Total), 2);

    /// <summary>
    /// Nearly all accesses of CR3 come of page-table isolation, two to enter the kernel and two to leave it; without it, page faults come first.
    /// </summary>
    [Fact]
    public void Control_registers_come_first_because_of_page_table_isolation()
    {
        Assert.InRange(Ratio(4 * Shadow.Value.Guest.KernelEntries, Shadow.Value.Exits.ControlRegister), 0.99, 1);
        Boot plain = Run(new ShadowMachine(MachinePresets.Load("skylake")), isolation: false);
        output.WriteLine($"without isolation: {plain.Exits}");
        Assert.Equal(Shadow.Value.Guest.PageFaults, plain.Guest.PageFaults);
        Assert.True(plain.Exits.PageFault > 10 * plain.Exits.ControlRegister, plain.Exits.ToString());
    }

    private static double Ratio(long part, long whole) => (double)part / whole;

    private static void InShape(double published, double here, double factor)
        => Assert.InRange(here, published / factor, published * factor);

    private static Boot Run(IVirtualMachine machine, bool isolation)
    {
        using (machine)
        {
            GuestEvents guest = BootMix.Run(machine, isolation, out int frames);
            return new Boot(guest, frames, machine.Exits);
        }
    }

    private sealed record Boot(GuestEvents Guest, int Frames, ExitCounts Exits);
}
