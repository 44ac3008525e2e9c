using System.Linq.Expressions;
using System.Reflection;
using BenchmarkDotNet.Attributes;

namespace MemVirt.Benchmarks.Gate;

/// <summary>A benchmark method as the gate runs it.</summary>
/// <param name="Name">Class and method.</param>
/// <param name="Operations">Operations of one call.</param>
/// <param name="Invoke">One call.</param>
internal sealed record Kernel(string Name, int Operations, Action Invoke)
{
    /// <summary>Every benchmark of this assembly whose class and method match, set up.</summary>
    internal static List<Kernel> All(Func<string, bool> wanted)
    {
        var kernels = new List<Kernel>();
        foreach (Type type in typeof(Kernel).Assembly.GetTypes().Where(type => type is { IsPublic: true, IsAbstract: false }).OrderBy(type => type.Name))
        {
            MethodInfo[] methods = [.. type.GetMethods().Where(method => method.GetCustomAttribute<BenchmarkAttribute>() is not null)];
            methods = [.. methods.Where(method => wanted(NameOf(type, method)))];
            if (methods.Length == 0)
            {
                continue;
            }

            object instance = Activator.CreateInstance(type)!;
            foreach (MethodInfo setup in type.GetMethods().Where(method => method.GetCustomAttribute<GlobalSetupAttribute>() is not null))
            {
                setup.Invoke(instance, null);
            }

            foreach (MethodInfo method in methods)
            {
                int operations = method.GetCustomAttribute<BenchmarkAttribute>()!.OperationsPerInvoke;
                Action invoke = Expression.Lambda<Action>(Expression.Call(Expression.Constant(instance), method)).Compile();
                kernels.Add(new Kernel(NameOf(type, method), operations, invoke));
            }
        }

        return kernels;
    }

    private static string NameOf(Type type, MethodInfo method) => $"{type.Name.Replace("Benchmarks", string.Empty)}.{method.Name}";
}
