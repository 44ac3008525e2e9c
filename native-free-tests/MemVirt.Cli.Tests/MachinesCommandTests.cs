using MemVirt.Simulation.Machines;

namespace MemVirt.Cli.Tests;

public sealed class MachinesCommandTests
{
    [Fact]
    public void The_list_names_every_preset_in_eighty_columns()
    {
        string text = Cli.Run("machines").Output;
        Assert.All(MachinePresets.Names, name => Assert.Contains("\n" + name, "\n" + text, StringComparison.Ordinal));
        Assert.All(text.Split('\n')[..^2], line => Assert.InRange(line.Length, 0, 95));
    }

    [Fact]
    public void A_printed_preset_is_a_machine_file()
    {
        using var folder = new TemporaryFolder();
        foreach (string name in MachinePresets.Names)
        {
            string file = folder.Write(name + ".json", Cli.Run("machines", name).Output);
            Assert.Equal(name, MachineFile.Load(file).Name);
            Assert.Equal(
                ExitCodes.Success, Cli.RunWith([SampleResults.Four(name)], "compare", folder.Trace(), "--machine", file).ExitCode);
        }
    }
}
