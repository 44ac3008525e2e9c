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
        => PublishedPage.Compare("docs/images/crossover.svg", _ => CrossoverChart.Draw(Edits.Value, Switches.Value));

    [Theory]
    [MemberData(nameof(Grids))]
    public void The_table_is_what_the_engine_counts(string disturbance)
        => PublishedPage.Compare(
            PublishedPage.File, page => PublishedPage.WithTable(page, disturbance, Grid(disturbance).ToMarkdown()));

    private static CrossoverGrid Grid(string disturbance)
        => (disturbance == nameof(Disturbance.TableEdits) ? Edits : Switches).Value;
}
