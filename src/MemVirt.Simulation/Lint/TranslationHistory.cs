using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;

namespace MemVirt.Simulation.Lint;

/// <summary>
/// Knows every answer that the manual lets a processor give (Intel SDM Vol. 3A §4.10, Vol. 3C §28.4): the history of each paging-
/// structure entry and of each context's CR3, and which invalidations covered what. A translation in a TLB was read at one time no
/// earlier than the last invalidation that covers it; its upper entries may have come from paging-structure caches, read earlier
/// still, but not before the last invalidation of those, and never later than an entry below. What was not present, or had a
/// reserved bit, is never cached. A global translation serves every PCID of its VPID. Accessed and dirty flags do not count.
/// </summary>
public sealed class TranslationHistory
{
    private const ulong AccessedAndDirty = 0x60;
    private const ulong Global = 1 << 8;
    private const int AnyLeaf = -1;
    private readonly Dictionary<ulong, EntryHistory> _entries = [];
    private readonly Dictionary<(ushort, ushort), ContextHistory> _contexts = [];
    private readonly Dictionary<ushort, ContextHistory> _globals = [];
    private readonly List<long> _writes = [];
    private readonly List<TranslationAnswer> _answers = [];
    private readonly EntryRules _rules;
    private readonly int _levels;
    private readonly bool _globalPages;
    private readonly bool _onlyUsed;
    private readonly bool[] _leavesSeen = [true, false, false];
    private ContextHistory _context;
    private long _now = 1;
    private long _lastChange = 1;

    /// <summary>A history in which nothing was written yet, in VPID 0 and PCID 0.</summary>
    /// <param name="levels">4 or 5.</param>
    /// <param name="globalPages">CR4.PGE.</param>
    /// <param name="onlyUsed">
    /// Whether only what an access used can be held; else a processor may have cached anything at any time (§4.10.2.3).
    /// </param>
    /// <param name="rules">What is made of entries; null for every feature.</param>
    public TranslationHistory(int levels = 4, bool globalPages = true, bool onlyUsed = false, EntryRules? rules = null)
    {
        (_levels, _globalPages, _onlyUsed) = (levels, globalPages, onlyUsed);
        _rules = rules ?? X64FourLevel.DefaultRules;
        _context = ContextOf(0, 0);
    }

    /// <summary>Events so far.</summary>
    public long Now => _now;

    /// <summary>An entry of some paging structure, or memory that may become one, was written.</summary>
    public void Write(ulong address, ulong value)
    {
        if (!_entries.TryGetValue(address, out EntryHistory? history))
        {
            _entries.Add(address, history = new EntryHistory());
        }

        _leavesSeen[1] |= X64FourLevel.IsLeaf(value, 1);
        _leavesSeen[2] |= X64FourLevel.IsLeaf(value, 2);
        history.Set(++_now, value & ~AccessedAndDirty);
        _writes.Add(_now);
        _lastChange = _now;
    }

    /// <summary>The context and CR3 are these from now on; nothing is forgotten (as by MOV to CR3 with bit 63 set).</summary>
    /// <param name="virtualProcessor">VPID or ASID.</param>
    /// <param name="processContext">PCID.</param>
    /// <param name="root">The physical address of the root table.</param>
    public void SwitchTo(ushort virtualProcessor, ushort processContext, ulong root)
    {
        _context = ContextOf(virtualProcessor, processContext);
        _context.Root.Set(++_now, root);
        _writes.Add(_now);
        _lastChange = _now;
    }

    /// <summary>An invalidation was carried out.</summary>
    public void Invalidate(in TlbInvalidation invalidation)
    {
        _lastChange = ++_now;
        ushort processor = invalidation.VirtualProcessor;
        if (invalidation.Scope == InvalidationScope.Address)
        {
            ContextHistory context = ContextOf(processor, invalidation.ProcessContext);
            context.FlushPage(_now, invalidation.Address.Value, withItsTables: true);
            if (invalidation.IncludesTablesOfContext)
            {
                context.FlushTables(_now);
            }

            if (invalidation.IncludesGlobals)
            {
                GlobalsOf(processor).FlushPage(_now, invalidation.Address.Value, withItsTables: false);
            }

            return;
        }

        if (invalidation.Scope == InvalidationScope.AddressOfVirtualProcessor)
        {
            foreach (ContextHistory context in _contexts.Values)
            {
                if (context.VirtualProcessor == processor)
                {
                    context.FlushPage(_now, invalidation.Address.Value, withItsTables: true);
                }
            }

            GlobalsOf(processor).FlushPage(_now, invalidation.Address.Value, withItsTables: false);
            return;
        }

        foreach (ContextHistory context in _contexts.Values)
        {
            if (Covers(in invalidation, context))
            {
                context.Flush(_now);
            }
        }

        foreach (ContextHistory globals in _globals.Values)
        {
            if (invalidation.IncludesGlobals && Covers(in invalidation, globals))
            {
                globals.Flush(_now);
            }
        }
    }

    /// <summary>A page fault of an address drops what would be used for it in the current context (§4.10.4.1).</summary>
    public void Faulted(ulong address)
    {
        _lastChange = ++_now;
        _context.Fault(_now, address);
    }

    /// <summary>An access used the address in the current context.</summary>
    public void Used(ulong address) => _context.Use(++_now, address, _lastChange);

    /// <summary>
    /// The answers allowed for an address in the current context, each once; the first is what the tables say now. The list is valid
    /// until the next call.
    /// </summary>
    public IReadOnlyList<TranslationAnswer> AnswersFor(ulong address)
    {
        _answers.Clear();
        var now = new Reading(_now, IsNow: true, OnlyGlobal: false, AnyLeaf);
        Explore(_context, address, now, floor: _now);
        Explore(_context, address, now, _context.TablesFlushedBefore(_now, address));
        ExplorePast(_context, address, onlyGlobal: false);
        if (_globalPages)
        {
            foreach (ContextHistory context in _contexts.Values)
            {
                if (context.VirtualProcessor == _context.VirtualProcessor)
                {
                    ExplorePast(context, address, onlyGlobal: true);
                }
            }
        }

        return _answers;
    }

    private static bool Covers(in TlbInvalidation invalidation, ContextHistory context)
        => invalidation.Scope switch
        {
            InvalidationScope.Context
                => context.VirtualProcessor == invalidation.VirtualProcessor && context.ProcessContext == invalidation.ProcessContext,
            InvalidationScope.VirtualProcessor => context.VirtualProcessor == invalidation.VirtualProcessor,
            InvalidationScope.VirtualProcessorsButZero => context.VirtualProcessor != 0,
            _ => true,
        };

    /// <summary>Explores the times at which a translation that is held now may have been read: after each write, or at each use.</summary>
    private void ExplorePast(ContextHistory context, ulong address, bool onlyGlobal)
    {
        ContextHistory flushes = onlyGlobal ? GlobalsOf(context.VirtualProcessor) : context;
        if (!_onlyUsed)
        {
            for (int level = 0; level < _leavesSeen.Length; level++)
            {
                ExploreAt(context, address, new Reading(flushes.FlushOf(address, level), IsNow: false, onlyGlobal, AnyLeaf));
            }

            for (int write = _writes.Count - 1; write >= 0 && _writes[write] >= flushes.Flushed; write--)
            {
                ExploreAt(context, address, new Reading(_writes[write], IsNow: false, onlyGlobal, AnyLeaf));
            }

            return;
        }

        for (int level = 0; level < _leavesSeen.Length; level++)
        {
            IReadOnlyList<long> uses = _leavesSeen[level] ? context.UsesOf(address, level) : [];
            for (int use = uses.Count - 1; use >= 0 && uses[use] >= flushes.Flushed; use--)
            {
                ExploreAt(context, address, new Reading(uses[use], IsNow: false, onlyGlobal, level));
            }
        }
    }

    private void ExploreAt(ContextHistory context, ulong address, Reading reading)
        => Explore(context, address, reading, context.TablesFlushedBefore(reading.Time, address));

    /// <summary>Follows every chain of entries read between the floor and the time of the leaf.</summary>
    private void Explore(ContextHistory context, ulong address, Reading reading, long floor)
    {
        long time = reading.Time;
        var walk = new Walk(context, address, time, floor, reading.IsNow, reading.OnlyGlobal, reading.LeafLevel);
        for (int version = context.Root.FirstAt(Math.Min(floor, time)); version < context.Root.Count; version++)
        {
            // Paging-structure caches bear the PCID, not the root: what was read under an earlier CR3 of the same PCID may be used.
            (long from, long until, ulong root) = context.Root[version];
            if (from > time)
            {
                break;
            }

            StaleEntry? stale = until == EntryHistory.Forever ? null : new StaleEntry(0, _levels, root, context.Root.Current, until);
            bool isLoaded = until > time;
            Descend(in walk, _levels - 1, root, from, AccessRights.Unrestricted, stale, isLoaded ? EntryHistory.Forever : until);
        }
    }

    private void Descend(in Walk walk, int level, ulong table, long notBefore, AccessRights rights, StaleEntry? stale, long readableUntil)
    {
        ulong entryAddress = table + TableGeometry.EntryOffset(walk.Address, level);
        if (!_entries.TryGetValue(entryAddress, out EntryHistory? history))
        {
            if (walk.IsNow && readableUntil == EntryHistory.Forever)
            {
                Add(new TranslationAnswer(false, 0, AccessRights.None, IsReserved: false, stale));
            }

            return;
        }

        long from = Math.Max(notBefore, walk.Floor);
        for (int version = history.FirstAt(Math.Min(from, walk.Time)); version < history.Count; version++)
        {
            (long start, long until, ulong value) = history[version];
            if (start > walk.Time)
            {
                break;
            }

            Consider(in walk, level, entryAddress, history, (Math.Max(start, from), Math.Min(until, readableUntil), value), rights, stale, until);
        }
    }

    private void Consider(
        in Walk walk, int level, ulong entryAddress, EntryHistory history, (long From, long Until, ulong Value) version,
        AccessRights rights, StaleEntry? stale, long changedAt)
    {
        ulong value = version.Value;
        bool isHeldAtTime = version.From <= walk.Time && version.Until > walk.Time;
        bool isCurrent = changedAt == EntryHistory.Forever;
        bool isPresent = (value & 1) != 0;
        bool isLeaf = X64FourLevel.IsLeaf(value, level);
        if (!isPresent || (value & _rules.Reserved(level, isLeaf)) != 0)
        {
            if (walk.IsNow && isCurrent && isHeldAtTime)
            {
                Add(new TranslationAnswer(false, 0, AccessRights.None, IsReserved: isPresent, stale));
            }

            return;
        }

        stale ??= isCurrent ? null : new StaleEntry(entryAddress, level, value, history.Current, changedAt);
        if (!isLeaf)
        {
            // Read at this entry's time, or as early as a paging-structure cache may have.
            bool isReadable = version.From <= walk.Time && version.From < version.Until
                              && (isHeldAtTime || !_onlyUsed || WasUsed(in walk, level, version.From, version.Until));
            if (isReadable)
            {
                Descend(in walk, level - 1, TableGeometry.TableAddress(value), version.From, rights & X64FourLevel.Rights(value), stale, EntryHistory.Forever);
            }

            return;
        }

        bool isGlobal = _globalPages && (value & Global) != 0;
        if (!isHeldAtTime || (walk.OnlyGlobal && !isGlobal) || !MayBeHeld(in walk, level, isGlobal))
        {
            return;
        }

        ulong offset = walk.Address & ((1UL << TableGeometry.ShiftOf(level)) - 1) & ~0xFFFUL;
        ulong page = TableGeometry.PageAddress(value, level) | offset;
        Add(new TranslationAnswer(true, page, rights & X64FourLevel.LeafRights(value) & AccessRights.All, false, stale));
    }

    /// <summary>Whether no invalidation since the time it was read covers a translation.</summary>
    private bool MayBeHeld(in Walk walk, int level, bool isGlobal)
    {
        if (walk.IsNow)
        {
            return true;
        }

        ContextHistory flushes = isGlobal ? GlobalsOf(walk.Context.VirtualProcessor) : walk.Context;
        return walk.Time >= flushes.FlushOf(walk.Address, level) && (walk.LeafLevel == AnyLeaf || walk.LeafLevel == level);
    }

    private static bool WasUsed(in Walk walk, int level, long from, long until)
    {
        IReadOnlyList<long> uses = walk.Context.UsesOf(walk.Address, level);
        for (int use = uses.Count - 1; use >= 0 && uses[use] >= from; use--)
        {
            if (uses[use] < until && uses[use] <= walk.Time)
            {
                return true;
            }
        }

        return false;
    }

    private void Add(TranslationAnswer answer)
    {
        foreach (TranslationAnswer known in _answers)
        {
            if (known with { Stale = null } == answer with { Stale = null })
            {
                return;
            }
        }

        _answers.Add(answer);
    }

    private ContextHistory ContextOf(ushort virtualProcessor, ushort processContext)
    {
        if (!_contexts.TryGetValue((virtualProcessor, processContext), out ContextHistory? context))
        {
            context = new ContextHistory(virtualProcessor, processContext);
            _contexts.Add((virtualProcessor, processContext), context);
        }

        return context;
    }

    /// <summary>When global translations of a VPID were dropped.</summary>
    private ContextHistory GlobalsOf(ushort virtualProcessor)
    {
        if (!_globals.TryGetValue(virtualProcessor, out ContextHistory? globals))
        {
            globals = new ContextHistory(virtualProcessor, 0);
            _globals.Add(virtualProcessor, globals);
        }

        return globals;
    }

    /// <summary>One way to an answer: in a context, at the time the leaf is read, with caches no older than the floor.</summary>
    private readonly record struct Walk(ContextHistory Context, ulong Address, long Time, long Floor, bool IsNow, bool OnlyGlobal, int LeafLevel);

    /// <summary>When the leaf is read, and which leaves count: global ones alone, those of one level alone.</summary>
    private readonly record struct Reading(long Time, bool IsNow, bool OnlyGlobal, int LeafLevel);
}
