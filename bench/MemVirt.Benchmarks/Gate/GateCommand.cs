namespace MemVirt.Benchmarks.Gate;

internal static class GateCommand
{
    internal static int Run(ReadOnlySpan<string> arguments)
    {
        string filter = arguments.Length > 0 ? arguments[0] : string.Empty;
        var reference = new ReferenceKernel();
        foreach (Kernel kernel in Kernel.All(name => name.Contains(filter, StringComparison.OrdinalIgnoreCase)))
        {
            Measurement measured = Measurement.Of(kernel, reference, 7);
            Console.WriteLine($"{kernel.Name,-44} {measured.Nanoseconds,9:F2} ns {measured.Ratio,8:F3} {measured.AllocatedBytes,6} B");
        }

        return 0;
    }
}
