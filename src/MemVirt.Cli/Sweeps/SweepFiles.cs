using System.Text;
using MemVirt.Cli.Html;
using MemVirt.Cli.Output;
using MemVirt.Simulation.Sweeps;

namespace MemVirt.Cli.Sweeps;

/// <summary>The files of a sweep, opened before the work begins, and its table.</summary>
internal sealed class SweepFiles : IDisposable
{
    private readonly SweepOutputs _outputs;
    private readonly AtomicFile? _csv;
    private readonly AtomicFile? _json;
    private readonly AtomicFile? _report;

    private SweepFiles(SweepOutputs outputs)
    {
        _outputs = outputs;
        _csv = outputs.Csv is { } csv ? AtomicFile.Create(csv) : null;
        try
        {
            _json = outputs.Json is null or "-" ? null : AtomicFile.Create(outputs.Json);
            _report = outputs.Report is { } report ? AtomicFile.Create(report) : null;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public static SweepFiles Create(SweepOutputs outputs) => new(outputs);

    public void Write(SweepResult sweep, CommandContext context)
    {
        if (_json is not null)
        {
            sweep.Write(_json.Stream);
            _json.Stream.WriteByte((byte)'\n');
        }

        if (_csv is not null)
        {
            using var text = new StreamWriter(_csv.Stream, new UTF8Encoding(false), leaveOpen: true);
            SweepCsv.Write(text, sweep);
        }

        if (_report is not null)
        {
            SweepReport.Write(_report.Stream, sweep, _outputs.Command);
        }

        if (_outputs.Json == "-")
        {
            using var json = new MemoryStream();
            sweep.Write(json);
            context.Output.WriteLine(Encoding.UTF8.GetString(json.GetBuffer(), 0, (int)json.Length));
        }
        else
        {
            SweepTable.Write(sweep, context);
        }

        context.Output.Flush();
        _json?.Commit();
        _csv?.Commit();
        _report?.Commit();
    }

    public void Dispose()
    {
        _csv?.Dispose();
        _json?.Dispose();
        _report?.Dispose();
    }
}
