namespace MemVirt.Simulation.Sweeps;

/// <summary>Joins the parts of a sweep into what a run of the whole would have been, to the byte.</summary>
public static class SweepMerge
{
    /// <summary>Joins parts given in any order.</summary>
    /// <param name="parts">The parts, each with the name it is spoken of by.</param>
    /// <exception cref="SweepException">Parts are of different sweeps, stand there twice, are incomplete or missing.</exception>
    public static SweepResult Join(IReadOnlyList<(string Name, SweepResult Part)> parts)
    {
        (string firstName, SweepResult first) = parts[0];
        int of = first.Shard?.Of ?? 1;
        var byPart = new (string Name, SweepResult Part)?[of];
        foreach ((string name, SweepResult part) in parts)
        {
            SweepShard shard = part.Shard ?? new SweepShard(1, 1);
            if (part.Definition != first.Definition || shard.Of != of)
            {
                throw new SweepException($"{name}: is a part of another sweep than {firstName}; give the parts of one");
            }

            if (shard.Part < 1 || shard.Part > of)
            {
                throw new SweepException($"{name}: says that it is part {shard.Part} of {of}; run that part again");
            }

            if (byPart[shard.Part - 1] is { } other)
            {
                throw new SweepException($"{name}: is part {shard.Part} of {of}, and so is {other.Name}; leave one out");
            }

            CheckWhole(name, part, shard);
            byPart[shard.Part - 1] = (name, part);
        }

        int[] missing = [.. Enumerable.Range(1, of).Where(part => byPart[part - 1] is null)];
        return missing.Length == 0
            ? new SweepResult(first.Definition, null, [.. byPart.SelectMany(part => part!.Value.Part.Rows)])
            : throw new SweepException(
                $"of {of} parts {string.Join(", ", missing)} {(missing.Length == 1 ? "is" : "are")} missing; run `memvirt sweep … --shard {missing[0]}/{of}` again");
    }

    /// <summary>Each of the part's points, with each regime, in order.</summary>
    private static void CheckWhole(string name, SweepResult part, SweepShard shard)
    {
        (int first, int end) = shard.PointsOf(part.Definition.Points);
        int regimes = part.Definition.Regimes.Count;
        bool isWhole = part.Rows.Count == (end - first) * regimes;
        for (int row = 0; isWhole && row < part.Rows.Count; row++)
        {
            isWhole = part.Rows[row].Point == first + (row / regimes) && part.Rows[row].Regime == part.Definition.Regimes[row % regimes];
        }

        if (!isWhole)
        {
            throw new SweepException($"{name}: does not hold all of part {shard.Part} of {shard.Of}; run `memvirt sweep … --shard {shard.Part}/{shard.Of}` again");
        }
    }
}
