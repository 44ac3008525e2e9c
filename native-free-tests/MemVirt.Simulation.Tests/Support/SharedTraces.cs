using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Tests.Support;

/// <summary>Real traces that may lie beside the checkout; a user's clone has none, and the tests that want them skip.</summary>
internal static class SharedTraces
{
    internal static string? PathOf(string name)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "MemVirt.sln")))
            {
                string path = Path.Combine(folder.Parent?.FullName ?? "", "shared", "traces", name + ".lackey.xz");
                return File.Exists(path) ? path : null;
            }
        }

        return null;
    }

    internal static MemoryReference[] Head(string name, int references)
    {
        string? path = PathOf(name);
        Skip.If(path is null, $"no trace {name} beside the checkout (../shared/traces)");
        using ITraceReader reader = TraceFile.Open(path);
        var head = new MemoryReference[references];
        int filled = 0;
        for (int read; filled < references && (read = reader.Read(head.AsSpan(filled))) > 0; filled += read)
        {
        }

        return head[..filled];
    }
}
