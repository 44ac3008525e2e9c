using System.Reflection;

namespace MemVirt.Core.Tests;

public class DependencyTests
{
    [Fact]
    public void The_core_references_the_base_class_library_only()
    {
        string bcl = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        IEnumerable<string> strangers = typeof(Mmu<>).Assembly.GetReferencedAssemblies()
            .Select(name => name.Name!)
            .Where(name => name != "Microsoft.Extensions.ObjectPool" && !File.Exists(Path.Combine(bcl, name + ".dll")));
        Assert.Empty(strangers);
    }
}
