using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using MemVirt.Benchmarks;
using MemVirt.Benchmarks.Gate;

// gate: the regression gate. memory: what a sparse guest takes. aot: the command line compiled ahead of time.
// --brief: three short iterations in this process, minutes instead of an hour.
// The rest goes to BenchmarkDotNet, which leaves the machine code of each kernel beside its report.
if (args is ["gate", ..])
{
    return GateCommand.Run(args.AsSpan(1));
}

if (args is ["aot", ..])
{
    return AheadOfTime.Run(args.AsSpan(1));
}

if (args is ["memory"])
{
    SparseGuestMemory.Print(Console.Out);
    return 0;
}

bool brief = args.Contains("--brief");
IConfig config = brief
    ? DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(new InProcessEmitToolchain(TimeSpan.FromMinutes(5), logOutput: false)))
    : DefaultConfig.Instance.AddDiagnoser(new DisassemblyDiagnoser(new DisassemblyDiagnoserConfig(maxDepth: 2)));
string[] rest = [.. args.Where(argument => argument != "--brief")];
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(rest.Length == 0 ? ["--filter", "*"] : rest, config);
return 0;
