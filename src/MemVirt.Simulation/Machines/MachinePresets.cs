using System.Collections.Immutable;

namespace MemVirt.Simulation.Machines;

/// <summary>The machines that come with the tool, embedded as machine files and read by the same parser.</summary>
public static class MachinePresets
{
    /// <summary>The presets' names, in the order in which they are listed.</summary>
    public static ImmutableArray<string> Names { get; } = ["teaching", "skylake", "icelake", "goldencove", "zen2", "zen4", "zen5"];

    /// <summary>Reads a preset.</summary>
    /// <exception cref="MachineException">There is none of this name; the message lists them.</exception>
    public static MachineDescription Load(string name) => MachineFile.Parse(Json(name), name);

    /// <summary>A preset's machine file as it stands, in UTF-8.</summary>
    /// <exception cref="MachineException">There is none of this name; the message lists them.</exception>
    public static ReadOnlyMemory<byte> Json(string name)
    {
        using Stream? resource = Names.Contains(name)
            ? typeof(MachinePresets).Assembly.GetManifestResourceStream($"MemVirt.Machines.{name}.json")
            : null;
        if (resource is null)
        {
            throw new MachineException($"unknown machine '{name}'; the presets are {string.Join(", ", Names)}");
        }

        byte[] json = new byte[resource.Length];
        resource.ReadExactly(json);
        return json;
    }
}
