namespace MemVirt.Simulation.Tests.Published;

/// <summary>
/// Where shadow paging is cheaper and where nested paging: counts of the engine at the prices of a machine file, over TLB misses and what
/// disturbs the guest's tables. docs/published.md has the picture and the numbers, and both are compared here.
/// </summary>
[Trait("Category", "published")]
public sealed class CrossoverTests
{
    private static readonly Lazy<CrossoverGrid> Edits = new(() => CrossoverGrid.Run(Disturbance.TableEdits));
    private static readonly Lazy<CrossoverGrid> Switches = new(() => CrossoverGrid.Run(Disturbance.Switches));
    private static readonly int LastRow = CrossoverGrid.FarPerThousand.Length - 1;
    private static readonly int LastColumn = CrossoverGrid.Events.Length - 1;

    public static TheoryData<string> Grids => [nameof(Disturbance.TableEdits), nameof(Disturbance.Switches)];

    [Theory]
    [MemberData(nameof(Grids))]
    public void Shadow_paging_wins_with_few_events_and_many_misses(string disturbance)
        => Assert.InRange(Grid(disturbance)[LastRow, 0].Ratio, 0, 0.6);

    [Theory]
    [MemberData(nameof(Grids))]
    public void Nested_paging_wins_with_many_events_and_few_misses(string disturbance)
        => Assert.True(Grid(disturbance)[0, LastColumn].Ratio > 10);

    [Theory]
    [MemberData(nameof(Grids))]
    public void More_events_favour_nested_paging_and_more_misses_shadow_paging(string disturbance)
    {
        CrossoverGrid grid = Grid(disturbance);
        for (int row = 0; row <= LastRow; row++)
        {
            for (int column = 0; column <= LastColumn; column++)
            {
                Assert.True(row == 0 || grid.FrontierOf(row) >= grid.FrontierOf(row - 1), $"The frontier of row {row} turns back.");
                Assert.True(
                    column < grid.FrontierOf(row) == grid[row, column].Ratio < 1, $"Row {row} crosses over more than once.");
            }
        }
    }

    /// <summary>EPT has nothing to say of either event: what it costs more is walks, and what shadow paging costs more is exits.</summary>
    [Theory]
    [MemberData(nameof(Grids))]
    public void Nested_paging_pays_for_walks_alone(string disturbance)
    {
        CrossoverGrid grid = Grid(disturbance);
        for (int row = 0; row <= LastRow; row++)
        {
            for (int column = 0; column <= LastColumn; column++)
            {
                (CrossoverCost shadow, CrossoverCost nested) = grid[row, column];
                Assert.Equal(0, nested.ExitCycles);
                Assert.True(nested.WalkCycles > shadow.WalkCycles);
                Assert.True(shadow.ExitCycles > 0);
            }
        }
    }

    [Fact]
    public void The_picture_is_what_the_engine_counts()
        => Compare("docs/images/crossover.svg", _ => CrossoverChart.Draw(Edits.Value, Switches.Value));

    [Theory]
    [MemberData(nameof(Grids))]
    public void The_table_is_what_the_engine_counts(string disturbance)
        => Compare("docs/published.md", page => Replaced(page, disturbance, Grid(disturbance).ToMarkdown()));

    private static CrossoverGrid Grid(string disturbance)
        => (disturbance == nameof(Disturbance.TableEdits) ? Edits : Switches).Value;

    private static string Replaced(string page, string name, string table)
    {
        string begin = $"<!-- {name} -->\n";
        int start = page.IndexOf(begin, StringComparison.Ordinal);
        Assert.True(start >= 0, $"docs/published.md has no place for {name}.");
        start += begin.Length;
        int end = page.IndexOf("\n\n", start - 1, StringComparison.Ordinal);
        return page[..start] + table.TrimEnd('\n') + page[end..];
    }

    /// <summary>With MEMVIRT_WRITE_DOCS=1 the file is written, else it must be there already.</summary>
    private static void Compare(string file, Func<string, string> wanted)
    {
        string path = Path.Combine(RepositoryRoot(), file);
        string found = File.Exists(path) ? File.ReadAllText(path) : "";
        string text = wanted(found);
        if (Environment.GetEnvironmentVariable("MEMVIRT_WRITE_DOCS") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
            return;
        }

        Assert.True(found == text, $"{file} is not what the engine counts now; MEMVIRT_WRITE_DOCS=1 writes it anew.");
    }

    private static string RepositoryRoot()
    {
        string at = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(at, "MemVirt.sln")))
        {
            at = Path.GetDirectoryName(at)!;
        }

        return at;
    }
}
