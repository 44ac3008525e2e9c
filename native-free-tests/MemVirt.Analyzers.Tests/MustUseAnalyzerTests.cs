using System.Collections.Immutable;
using MemVirt.Core.Mapping;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;

namespace MemVirt.Analyzers.Tests;

/// <summary>Bodies of a method in which <c>Edit()</c> returns what must be used, and <c>TryEdit(out)</c> hands it out.</summary>
public class MustUseAnalyzerTests
{
    private static readonly MetadataReference[] References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Append(typeof(PendingInvalidation).Assembly.Location)
            .Distinct()
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    [Theory]
    [InlineData("Edit();", "the statement ignores it")]
    [InlineData("maker?.EditToo();", "the statement ignores it")]
    [InlineData("await EditLater();", "the statement ignores it")]
    [InlineData("EditLater();", "the statement ignores it")]
    [InlineData("EditTwice();", "the statement ignores it")]
    [InlineData("for (Edit(); b; Edit()) { }", "the statement ignores it", 2)]
    [InlineData("Action a = () => Edit(); a();", "the statement ignores it")]
    [InlineData("void Inner() => Edit(); Inner();", "the statement ignores it")]
    public Task A_statement_that_ignores_it_is_an_error(string body, string how, int times = 1) => AreErrors(body, how, times);

    [Theory]
    [InlineData("_ = Edit();")]
    [InlineData("_ = b ? Edit() : Edit();")]
    [InlineData("TryEdit(out _);")]
    [InlineData("if (TryEdit(out PendingInvalidation _)) { }")]
    [InlineData("(_, int n) = EditAndCount(); Use(n);")]
    [InlineData("_ = await EditLater();")]
    public Task A_discard_is_an_error(string body) => AreErrors(body, "it goes to a discard", 1);

    [Theory]
    [InlineData("var pending = Edit();", 1)]
    [InlineData("PendingInvalidation pending; pending = Edit();", 1)]
    [InlineData("TryEdit(out var pending);", 1)]
    [InlineData("TryEdit(out PendingInvalidation pending);", 1)]
    [InlineData("var (pending, n) = EditAndCount(); Use(n);", 1)]
    [InlineData("PendingInvalidation? pending = Edit();", 1)]
    [InlineData("var pending = Edit(); pending = Edit(); pending.LeaveStale(\"\");", 1)]
    [InlineData("var pending = Edit(); pending.LeaveStale(\"\"); pending = Edit();", 1)]
    [InlineData("PendingInvalidation pending = default; while (b) { pending = Edit(); }", 1)]
    [InlineData("PendingInvalidation pending = Edit(); if (b) { pending = Edit(); } else { pending = Edit(); } pending.LeaveStale(\"\");", 1)]
    [InlineData("foreach (var pending in new PendingInvalidation[3]) { }", 1)]
    [InlineData("if (Boxed() is PendingInvalidation pending) { }", 1)]
    [InlineData("void Inner() { var pending = Edit(); } Inner();", 1)]
    [InlineData("Action a = () => { var pending = Edit(); }; a();", 1)]
    [InlineData("try { var pending = Edit(); } finally { Use(1); }", 1)]
    public Task A_local_that_nobody_reads_is_an_error(string body, int times)
        => AreErrors(body, "nobody reads 'pending' after this", times);

    [Theory]
    [InlineData("Edit().LeaveStale(\"\");")]
    [InlineData("var pending = Edit(); pending.LeaveStale(\"\");")]
    [InlineData("TryEdit(out var pending); pending.LeaveStale(\"\");")]
    [InlineData("PendingInvalidation pending = default; if (b) { pending = Edit(); } pending.LeaveStale(\"\");")]
    [InlineData("var pending = Edit(); Action a = () => pending.LeaveStale(\"\"); a();")]
    [InlineData("var pending = Edit(); void Inner() => pending.LeaveStale(\"\"); Inner();")]
    [InlineData("PendingInvalidation pending = default; Action a = () => pending = Edit(); a(); pending.LeaveStale(\"\");")]
    [InlineData("PendingInvalidation pending = default; try { pending = Edit(); Use(1); } finally { pending.LeaveStale(\"\"); }")]
    [InlineData("PendingInvalidation pending = default; try { pending = Edit(); Use(1); } catch (Exception) { pending.LeaveStale(\"\"); }")]
    [InlineData("var all = new System.Collections.Generic.List<PendingInvalidation>(); all.Add(Edit());")]
    [InlineData("kept = Edit();")]
    [InlineData("var (pending, _) = EditAndCount(); pending.LeaveStale(\"\");")]
    [InlineData("foreach (var pending in new PendingInvalidation[3]) { pending.LeaveStale(\"\"); }")]
    [InlineData("if (Boxed() is PendingInvalidation pending) { pending.LeaveStale(\"\"); }")]
    [InlineData("PendingInvalidation pending; while (true) { pending = Edit(); if (b) { break; } pending.LeaveStale(\"\"); } pending.LeaveStale(\"\");")]
    [InlineData("Func<PendingInvalidation> f = () => Edit(); f().LeaveStale(\"\");")]
    [InlineData("_ = 1; Use(2); int unread = 3;")]
    public async Task What_is_used_is_none(string body) => Assert.Empty(await DiagnosticsOf(body));

    [Fact]
    public async Task It_is_an_error_by_default_and_names_the_type()
    {
        Diagnostic only = Assert.Single(await DiagnosticsOf("Edit();"));
        Assert.Equal(("MV0001", DiagnosticSeverity.Error), (only.Id, only.Severity));
        Assert.Contains("This PendingInvalidation is dropped", only.GetMessage(null), StringComparison.Ordinal);
    }

    private static async Task AreErrors(string body, string how, int times)
    {
        ImmutableArray<Diagnostic> found = await DiagnosticsOf(body);
        Assert.Equal(times, found.Length);
        Assert.All(found, one => Assert.Contains(how, one.GetMessage(null), StringComparison.Ordinal));
    }

    private static async Task<ImmutableArray<Diagnostic>> DiagnosticsOf(string body)
    {
        string source = $$"""
            using System;
            using System.Threading.Tasks;
            using MemVirt.Core.Mapping;

            class Case
            {
                PendingInvalidation kept;
                Case maker = null!;
                bool b = true;
                PendingInvalidation Edit() => default;
                PendingInvalidation EditToo() => kept;
                bool TryEdit(out PendingInvalidation pending) { pending = default; return b; }
                Task<PendingInvalidation> EditLater() => Task.FromResult(Edit());
                (PendingInvalidation, int) EditAndCount() => (Edit(), 1);
                (PendingInvalidation, PendingInvalidation) EditTwice() => (Edit(), Edit());
                object Boxed() => kept;
                void Use(int n) { }
                async Task Body() { {{body}} await Task.Yield(); }
            }
            """;
        var compilation = CSharpCompilation.Create(
            "Case",
            [CSharpSyntaxTree.ParseText(source, new CSharpParseOptions(LanguageVersion.Latest))],
            References,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
        Assert.Empty(compilation.GetDiagnostics().Where(one => one.Severity == DiagnosticSeverity.Error));
        return await compilation.WithAnalyzers([new MustUseAnalyzer()]).GetAnalyzerDiagnosticsAsync();
    }
}
