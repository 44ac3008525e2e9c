using MemVirt.Core.Access;
using MemVirt.Core.Invalidation;

namespace MemVirt.Simulation.Lint;

/// <summary>
/// Goes through a recorded run and finds each use of a translation whose entry changed without the invalidation that the manual
/// requires. What gained rights or became present needs none (Intel SDM Vol. 3A §4.10.4.3) and is not flagged.
/// </summary>
public sealed class RunLinter
{
    private readonly TranslationHistory _history;
    private readonly List<(long Time, long Line)> _lines = [];
    private readonly Dictionary<(ulong, long, ushort, ushort), int> _known = [];
    private readonly List<LintFinding> _findings = [];
    private ushort _virtualProcessor;
    private ushort _processContext;

    /// <summary>A linter at the start of a run.</summary>
    /// <param name="levels">4 or 5.</param>
    /// <param name="globalPages">CR4.PGE.</param>
    /// <param name="strict">
    /// Whether what no access used counts too, for a processor may cache any translation (Intel SDM Vol. 3A §4.10.2.3). Slower: each
    /// access looks at every write since the last flush.
    /// </param>
    public RunLinter(int levels = 4, bool globalPages = true, bool strict = false)
        => _history = new TranslationHistory(levels, globalPages, onlyUsed: !strict);

    /// <summary>The findings so far, in the order of their first accesses.</summary>
    public IReadOnlyList<LintFinding> Findings => _findings;

    /// <summary>Accesses so far.</summary>
    public long Accesses { get; private set; }

    /// <summary>A word of memory, an entry perhaps, was written.</summary>
    public void Write(long line, ulong address, ulong value)
    {
        _history.Write(address, value);
        _lines.Add((_history.Now, line));
    }

    /// <summary>CR3, and with VPID or ASID the virtual processor, changed; nothing is forgotten by that alone.</summary>
    public void SwitchTo(long line, ushort virtualProcessor, ushort processContext, ulong root)
    {
        (_virtualProcessor, _processContext) = (virtualProcessor, processContext);
        _history.SwitchTo(virtualProcessor, processContext, root);
        _lines.Add((_history.Now, line));
    }

    /// <summary>An invalidation was carried out.</summary>
    public void Invalidate(in TlbInvalidation invalidation) => _history.Invalidate(in invalidation);

    /// <summary>An access was made.</summary>
    public void Access(long line, ulong address, MemoryAccess access, bool user)
    {
        Accesses++;
        IReadOnlyList<TranslationAnswer> answers = _history.AnswersFor(address);
        TranslationAnswer now = answers[0];
        bool isGranted = Grants(now, access, user);
        for (int answer = 1; answer < answers.Count; answer++)
        {
            TranslationAnswer held = answers[answer];
            if (held.Stale is { } stale && Grants(held, access, user) && (!isGranted || held.Page != now.Page))
            {
                Report(line, address, access, stale, held.Page, isGranted ? now.Page : null);
                break;
            }
        }

        if (isGranted)
        {
            _history.Used(address);
        }
        else
        {
            _history.Faulted(address);
        }
    }

    private static bool Grants(TranslationAnswer answer, MemoryAccess access, bool user)
    {
        AccessRights needed = (AccessRights)access | (user ? AccessRights.User : AccessRights.None);
        return answer.IsPresent && (needed & ~answer.Rights) == 0;
    }

    private void Report(long line, ulong address, MemoryAccess access, StaleEntry stale, ulong heldPage, ulong? currentPage)
    {
        (ulong, long, ushort, ushort) key = (stale.Address, stale.ChangedAt, _virtualProcessor, _processContext);
        if (_known.TryGetValue(key, out int known))
        {
            _findings[known] = _findings[known] with { Accesses = _findings[known].Accesses + 1 };
            return;
        }

        int change = _lines.BinarySearch((stale.ChangedAt, 0), Comparer<(long Time, long Line)>.Create((a, b) => a.Time.CompareTo(b.Time)));
        _known.Add(key, _findings.Count);
        _findings.Add(new LintFinding(
            line, address, access, _virtualProcessor, _processContext, stale, _lines[change].Line, heldPage, currentPage, Accesses: 1));
    }
}
