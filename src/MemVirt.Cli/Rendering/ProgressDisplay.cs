using Spectre.Console;
using Spectre.Console.Rendering;

namespace MemVirt.Cli.Rendering;

/// <summary>A progress bar on standard error around work that turns out to be long; nothing where that is no terminal.</summary>
internal static class ProgressDisplay
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(400);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    /// <summary>Does the work; its progress is what it reports to <see cref="CommandContext.Status"/>.</summary>
    public static T While<T>(bool wanted, string title, CommandContext context, Func<T> work)
    {
        if (!wanted || !context.ErrorIsTerminal)
        {
            return work();
        }

        // Short work ends before a bar would flash up, and before any of the console library is compiled.
        Task<T> running = Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        if (!EndsWithin(running, Patience))
        {
            Show(running, title, context);
        }

        return running.GetAwaiter().GetResult();
    }

    private static void Show(Task running, string title, CommandContext context)
        => SpectreTerminal.Create(context.Error, isTerminal: true, context.Width)
            .Progress()
            .AutoClear(true)
            .Columns(
                new TaskDescriptionColumn(),
                new ProgressBarColumn(),
                new PercentageColumn(),
                new RateColumn(context.Status),
                new RemainingTimeColumn())
            .Start(progress =>
            {
                ProgressTask task = progress.AddTask(Markup.Escape(title), maxValue: 1);
                task.IsIndeterminate = double.IsNaN(context.Status.Fraction);
                do
                {
                    double fraction = context.Status.Fraction;
                    task.IsIndeterminate = double.IsNaN(fraction);
                    task.Value = double.IsNaN(fraction) ? 0 : fraction;
                }
                while (!EndsWithin(running, Interval));
            });

    private static bool EndsWithin(Task task, TimeSpan time) => Task.WhenAny(task, Task.Delay(time)).GetAwaiter().GetResult() == task;

    /// <summary>Millions of references a second.</summary>
    private sealed class RateColumn(RunStatus status) : ProgressColumn
    {
        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime)
        {
            double seconds = (task.ElapsedTime?.TotalSeconds ?? 0) + Patience.TotalSeconds;
            return new Text(NumberText.Line($"{status.PieceReferences / seconds / 1e6:0.0} M refs/s"));
        }
    }
}
