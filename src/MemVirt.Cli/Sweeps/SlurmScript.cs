using System.Text;
using static MemVirt.Cli.Output.ShellText;
using MemVirt.Cli.Output;

namespace MemVirt.Cli.Sweeps;

/// <summary>
/// A script for sbatch that runs a sweep as an array of jobs, one part each. A part that is there already is not run again, so that the
/// script, submitted a second time, does what the first left undone.
/// </summary>
internal static class SlurmScript
{
    public static int Write(string path, IReadOnlyList<string> arguments, int shards, SweepOutputs outputs, CommandContext context)
    {
        using AtomicFile file = AtomicFile.Create(path);
        string name = Path.GetFileNameWithoutExtension(path);
        string command = string.Join(' ', Program().Select(Quoted));
        int options = arguments.ToList().IndexOf("--");
        string sweep = string.Join(' ', arguments.Take(options).Select(Quoted));
        string traces = string.Join(' ', arguments.Skip(options).Select(Quoted));
        string joined = string.Concat(
            outputs.Csv is { } csv ? $" --csv {Quoted(csv)}" : "", outputs.Json is { } json and not "-" ? $" --json {Quoted(json)}" : "",
            outputs.Report is { } report ? $" --report {Quoted(report)}" : "");
        string script = $"""
            #!/bin/sh
            # Runs a sweep as an array of {shards} jobs, from the folder in which it is submitted: sbatch {Quoted(path)}
            # When all have ended, join the parts; it names those that are missing, which the same sbatch runs again:
            #   {command} merge {Quoted(name)}.part-*.json{(joined.Length > 0 ? joined : " --csv sweep.csv")}
            #SBATCH --job-name={name.Replace(' ', '-')}
            #SBATCH --array=1-{shards}
            #SBATCH --ntasks=1
            #SBATCH --output={name.Replace(' ', '-')}.part-%a.log
            part={Quoted(name)}.part-$SLURM_ARRAY_TASK_ID.json
            if [ -s "$part" ]; then
              echo "$part is there already"
              exit 0
            fi
            exec {command} sweep {sweep} --no-progress \
              --jobs "$SLURM_CPUS_ON_NODE" --shard "$SLURM_ARRAY_TASK_ID/{shards}" --json "$part" \
              {traces}

            """.ReplaceLineEndings("\n");
        file.Stream.Write(Encoding.UTF8.GetBytes(script));
        file.Commit();
        context.Output.WriteLine($"{path}: an array of {shards} jobs; submit it with: sbatch {Quoted(path)}");
        return ExitCodes.Success;
    }

    /// <summary>This program as a shell finds it: the native file, or the runtime with the assembly.</summary>
    private static string[] Program()
    {
        string process = Environment.ProcessPath ?? "memvirt";
        string assembly = Path.Combine(AppContext.BaseDirectory, "memvirt.dll");
        return Path.GetFileNameWithoutExtension(process) == "dotnet" && File.Exists(assembly) ? [process, assembly] : [process];
    }
}
