using MemVirt.Simulation.Traces;
using static MemVirt.Simulation.Tests.Traces.TraceSamples;

namespace MemVirt.Simulation.Tests.Traces;

public sealed class TraceFileTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("memvirt-traces-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void A_missing_file_is_named()
    {
        string path = Path.Combine(_directory, "none.mvt");
        Assert.StartsWith($"{path} does not exist", MessageOf(path), StringComparison.Ordinal);
        Assert.Contains("does not exist", MessageOf(Path.Combine(_directory, "none", "none.mvt")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_is_said_to_be_one()
        => Assert.Contains("is a directory", MessageOf(_directory), StringComparison.Ordinal);

    [Theory]
    [InlineData("t.txt")]
    [InlineData("t.mvt")]
    [InlineData("t.br")]
    [InlineData("t.champsimtrace")]
    public void An_empty_file_is_said_to_be_empty(string name)
    {
        string path = Path.Combine(_directory, name);
        File.WriteAllBytes(path, []);
        Assert.StartsWith($"{path} is empty: ", MessageOf(path), StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_path_is_an_error_of_one_line()
        => AssertIsOneLine(MessageOf(string.Empty));

    [Fact]
    public void A_file_is_read_and_let_go()
    {
        string path = Path.Combine(_directory, "t.mvt");
        MemoryReference[] expected = Program(40, 1000);
        using (var writer = new MvtWriter(File.Create(path)))
        {
            writer.Append(expected);
            writer.Complete();
        }

        using (ITraceReader reader = TraceFile.Open(path))
        {
            Assert.Equal(path, reader.Path);
            Assert.Equal(expected, ReadAll(reader).References);
        }

        Assert.Equal(expected.Length, MvtInfo.TryRead(path)!.References);
        File.Delete(path);
    }

    [Fact]
    public void A_mvt_file_that_does_not_begin_as_one_is_not_taken_for_text()
    {
        byte[] file = Mvt(Program(41, 1000));
        file[2] ^= 4;
        Assert.Contains("damaged at offset 0", ReadAll("t.mvt", file).Damage!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_failing_read_is_an_error_of_one_line()
    {
        using ITraceReader reader = TraceFile.Open("t", new FailingStream(Ascii("I  1000,4\n" + new string(' ', 100) + "\n")));
        (List<MemoryReference> references, TraceException? damage) = ReadAll(reader);
        Assert.Single(references);
        Assert.Contains("the disk is on fire", damage!.Message, StringComparison.Ordinal);
        Assert.Contains("--refs 1", damage.Message, StringComparison.Ordinal);
    }

    private static string MessageOf(string path) => Assert.Throws<TraceException>(() => TraceFile.Open(path)).Message;

    private sealed class FailingStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;

        public override int Read(byte[] buffer, int offset, int count)
            => base.Read(buffer, offset, count) is > 0 and int read ? read : throw new IOException("the disk is on fire");
    }
}
