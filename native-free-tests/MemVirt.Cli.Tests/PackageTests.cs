using System.Reflection;

namespace MemVirt.Cli.Tests;

/// <summary>What is packed can be installed and used from a folder, as from a feed.</summary>
public sealed class PackageTests
{
    [Fact]
    public void The_tool_installs_and_a_project_that_references_the_libraries_runs()
    {
        using var folder = new TemporaryFolder();
        string root = Repository.Root;
        string configuration = typeof(PackageTests).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        foreach (string project in new[] { "MemVirt.Core", "MemVirt.Simulation", "MemVirt.Cli" })
        {
            Succeeds($"dotnet pack {root}/src/{project} --no-build -c {configuration} -o {folder.Path}/feed");
        }

        Assert.Equal(
            ["MemVirt.Core.0.1.0.nupkg", "MemVirt.Core.0.1.0.snupkg", "MemVirt.Simulation.0.1.0.nupkg", "MemVirt.Simulation.0.1.0.snupkg", "memvirt.0.1.0.nupkg"],
            Directory.GetFiles(folder.File("feed")).Select(Path.GetFileName).Where(name => name != "memvirt.0.1.0.snupkg").Order(StringComparer.Ordinal));

        // What else is needed comes from what this build has; the packages under test from the folder, and into a cache of its own.
        string known = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        folder.Write("nuget.config", $"""
            <configuration>
              <packageSources><clear /><add key="folder" value="feed" /></packageSources>
              <fallbackPackageFolders><clear /><add key="known" value="{known}" /></fallbackPackageFolders>
              <config><add key="globalPackagesFolder" value="cache" /></config>
            </configuration>
            """);
        string enter = $"cd {folder.Path}; unset NUGET_PACKAGES; ";
        Succeeds($"{enter}dotnet tool install memvirt --tool-path tools --version 0.1.0");
        Assert.Contains("skylake", Succeeds($"{enter}tools/memvirt machines"), StringComparison.Ordinal);

        Directory.CreateDirectory(folder.File("user"));
        folder.Write("user/user.csproj", """
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="MemVirt.Core" Version="0.1.0" /><PackageReference Include="MemVirt.Simulation" Version="0.1.0" />
              </ItemGroup>
            </Project>
            """);
        folder.Write("user/Usings.cs", """
            global using MemVirt.Core; global using MemVirt.Core.Access; global using MemVirt.Core.Addresses;
            global using MemVirt.Core.Faults; global using MemVirt.Core.Formats; global using MemVirt.Core.Mapping;
            global using MemVirt.Core.Memory; global using MemVirt.Core.Sources; global using MemVirt.Simulation;
            global using MemVirt.Simulation.Machines; global using MemVirt.Simulation.Results; global using MemVirt.Simulation.Traces;
            """);
        File.Copy(Path.Combine(root, "src/MemVirt.Cli/BuiltIn/compile.mvt"), folder.File("user/program.mvt"));
        folder.Write("user/Program.cs", CodeOf($"{root}/src/MemVirt.Core/README.md") + CodeOf($"{root}/src/MemVirt.Simulation/README.md"));
        string output = Succeeds($"{enter}cd user; dotnet run");
        Assert.StartsWith("Ok: 0x200123\nnative: ", output, StringComparison.Ordinal);
        Assert.Contains("\nnpt: ", output, StringComparison.Ordinal);

        // The analyzer comes with the package: an edit whose invalidation is dropped does not pass unseen.
        folder.Write("user/Program.cs", CodeOf($"{root}/src/MemVirt.Core/README.md").Replace(".LeaveStale(\"no processor runs yet\")", "", StringComparison.Ordinal));
        Assert.Contains("MV0001", RealProcess.Shell($"{enter}cd user; dotnet build").Output, StringComparison.Ordinal);
    }

    private static string CodeOf(string path)
        => File.ReadAllText(path).Split("```csharp\n")[1].Split("```")[0];

    private static string Succeeds(string line)
    {
        CliOutcome outcome = RealProcess.Shell(line);
        Assert.True(outcome.ExitCode == 0, $"{line}: {outcome.ExitCode}\n{outcome.Output}\n{outcome.Error}");
        return outcome.Output;
    }
}
