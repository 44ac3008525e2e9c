using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Simulation.Explain;
using MemVirt.Simulation.Machines;
using MemVirt.Simulation.Results;

namespace MemVirt.Simulation.Tests.Engine;

public class WalkExplainerTests
{
    [Theory]
    [InlineData("teaching")]
    [InlineData("skylake")]
    [InlineData("zen5")]
    public void Whatever_bit_of_whatever_entry_is_changed_the_walk_ends_and_is_whole(string name)
    {
        MachineDescription machine = MachinePresets.Load(name);
        foreach (Regime regime in RegimeNames.All)
        {
            EditedTable[] tables = regime switch
            {
                Regime.Ept => [EditedTable.Guest, EditedTable.Ept],
                Regime.Npt => [EditedTable.Guest, EditedTable.Npt],
                _ => [EditedTable.Guest],
            };
            foreach (EditedTable table in tables)
            {
                for (int change = 0; change < 4 * 64; change++)
                {
                    Check(regime, machine, table, level: change / 64, bit: change % 64, sets: true, (MemoryAccess)(1 << (change % 3)));
                    Check(regime, machine, table, level: change / 64, bit: change % 64, sets: false, (MemoryAccess)(1 << (change % 3)));
                }
            }
        }
    }

    [Fact]
    public void An_entry_that_the_walk_does_not_pass_cannot_be_changed()
    {
        WalkSetup setup = Setup(MachinePresets.Load("teaching"), new EntryEdit(EditedTable.Guest, 0, WalkReference.FinalAddress, 1, Sets: false), MemoryAccess.Read);
        Assert.Throws<ArgumentException>(() => WalkExplainer.Explain(Regime.Native, setup with { GuestPages = PageSize.Size2M }));
    }

    private static void Check(Regime regime, MachineDescription machine, EditedTable table, int level, int bit, bool sets, MemoryAccess access)
    {
        var edit = new EntryEdit(table, level, WalkReference.FinalAddress, 1UL << bit, sets);
        AccessExplanation explained = WalkExplainer.Explain(regime, Setup(machine, edit, access));
        AttemptExplanation[] attempts = [.. explained.Translations[0].Attempts];
        Assert.InRange(attempts.Length, 1, 3);
        Assert.All(attempts[..^1], attempt => Assert.NotEqual(TranslationStatus.Ok, attempt.Walk!.Outcome.Status));
        Assert.All(attempts, attempt =>
        {
            WalkExplanation walk = attempt.Walk!;
            int spared = walk.CacheHits.Sum(hit => hit.Skipped);
            Assert.True(walk.Skipped == spared, $"{regime} {machine.Name} {edit} {access}: {walk.Skipped} skipped, {spared} by caches");
            Assert.True(walk.Reads + walk.Skipped <= 24, $"{regime} {machine.Name} {edit} {access}: {walk.References.Count} references");
            Assert.DoesNotContain(walk.References, reference => machine.Caches is not null && reference.Server == WalkServer.Walker);
        });
    }

    private static WalkSetup Setup(MachineDescription machine, EntryEdit edit, MemoryAccess access)
        => new() { Address = GuestVirtualAddress.Create(0x7f5a12345678), Access = access, Machine = machine, Edits = [edit] };
}
