using System.Net;
using System.Net.Sockets;
using MemVirt.Cli.Tests;

namespace MemVirt.Cli.NativeTests;

/// <summary>The script that <c>memvirt sweep --slurm</c> writes, under a real Slurm.</summary>
public sealed class SlurmTests
{
    private const string Waits = "waits() { for _ in $(seq 600); do [ -z \"$(squeue --noheader)\" ] && return 0; sleep 0.2; done; squeue; return 1; }; ";

    [SkippableFact]
    public void An_array_whose_task_is_killed_is_completed_by_submitting_it_again()
    {
        Skip.IfNot(Environment.UserName == "root", "a Slurm cluster of one's own needs root");
        Skip.If(RealProcess.Shell("command -v munged slurmctld slurmd sbatch").Output.Split('\n').Length < 5, "Slurm is not installed (slurm-wlm, munge)");
        using var folder = new TemporaryFolder();
        string cluster = Path.Combine(AppContext.BaseDirectory, "slurm-cluster.sh");
        string trace = Path.Combine(AppContext.BaseDirectory, "hashjoin.mvt");
        string sweep = $"$M sweep {trace} --machine teaching,skylake,icelake,goldencove,zen2,zen4,zen5 --guest-pages 4k,2m --host-pages 4k,2m";
        string enter = $"cd {folder.Path}; export SLURM_CONF={folder.Path}/cluster/slurm.conf; ";
        try
        {
            Succeeds($"bash {cluster} start {folder.Path}/cluster {FreePort()}");
            Succeeds($"{enter}{sweep} --slurm grid.sh --shards 8; grep -q -e --array=1-8 grid.sh");

            // One of the tasks is killed while it runs: its part is missing and named.
            Succeeds(enter + Waits
                + "id=$(sbatch --parsable grid.sh); "
                + "for _ in $(seq 300); do squeue --noheader --array --states=RUNNING --format=%i | grep -qx ${id}_3 && break; sleep 0.05; done; "
                + "scancel --signal=KILL --full ${id}_3; waits");
            CliOutcome merged = RealProcess.Shell($"{enter}$M merge grid.part-*.json --csv all.csv");
            merged.FailsWith(ExitCodes.Failure, "of 8 parts 3 is missing", "--shard 3/8");

            // Submitted again, the script runs what is missing and nothing else.
            Succeeds(enter + Waits + "sbatch grid.sh && waits");
            Succeeds($"{enter}grep -l 'there already' grid.part-*.log | wc -l | grep -qx 7");
            Succeeds($"{enter}$M merge grid.part-*.json --csv all.csv --json all.json");
            Succeeds($"{enter}{sweep} --csv one.csv --json one.json && cmp one.csv all.csv && cmp one.json all.json");
        }
        finally
        {
            RealProcess.Shell($"bash {cluster} stop {folder.Path}/cluster; sleep 1");
        }
    }

    private static void Succeeds(string line)
    {
        CliOutcome outcome = RealProcess.Shell(line);
        Assert.True(outcome.ExitCode == 0, $"{line}: {outcome.ExitCode}\n{outcome.Output}\n{outcome.Error}");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
