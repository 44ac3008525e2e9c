// The page of `memvirt compare --report`.
const causes = [
  ['base', 'base', 'instructions, and data-cache misses that are not hidden'],
  ['tlb', 'TLB', 'hits of the second-level TLB'],
  ['walk', 'walk', 'page walks'],
  ['faults', 'guest faults', 'the guest\'s own page faults and context switches'],
  ['exits', 'exits', 'VM exits and their handlers'],
];
const caches = {
  pml4e: 'PML4E cache', pdpte: 'PDPTE cache', pde: 'PDE cache', nestedTlb: 'nested TLB',
  nestedPml4e: 'second stage\'s PML4E cache', nestedPdpte: 'second stage\'s PDPTE cache', nestedPde: 'second stage\'s PDE cache',
};
const shortNames = {
  pml4e: 'PML4E', pdpte: 'PDPTE', pde: 'PDE', nestedTlb: 'nTLB', nestedPml4e: 'nPML4E', nestedPdpte: 'nPDPTE', nestedPde: 'nPDE',
};
const foremost = skipped => Object.keys(caches).reduce((best, key) => (skipped[key] ?? 0) > (skipped[best] ?? 0) ? key : best);
const share = value => value >= 0.9995 ? '100 %' : value === 0 ? '0 %' : value < 0.001 ? '<0.1 %' : (value * 100).toFixed(1) + ' %';
const cycles = value => value === 0 ? '0' : value < 0.001 ? value.toExponential(1) : value.toFixed(value < 1 ? 3 : 2);

main.append(html('p', { class: 'quiet' }, data.comparisons.length === 1 ? data.comparisons[0].title : `${data.comparisons.length} comparisons`));
if (data.comparisons.length > 1) overview();
const chosen = html('div', { id: 'comparison' });
if (data.comparisons.length > 1) {
  const select = html('select', { id: 'choose' }, data.comparisons.map((one, at) => html('option', { value: at }, one.title)));
  select.addEventListener('change', () => show(Number(select.value)));
  main.append(html('p', { style: 'margin-top:24px' }, html('label', { for: 'choose' }, 'Comparison '), select));
}
main.append(chosen);
show(0);
section('command', 'This page again', html('p', {}, 'This command makes this page; its counts are the same every time.'), html('pre', {}, data.command),
  html('p', { class: 'quiet' }, `MemVirt ${data.version}`));

function show(at) {
  const before = [...main.children];
  const one = data.comparisons[at];
  chosen.replaceChildren();
  overhead(one);
  walks(one);
  time(one);
  reuse(one);
  exits(one);
  machine(one);
  // section() appends to the page: what it made belongs to the comparison.
  chosen.append(...[...main.children].filter(node => !before.includes(node)));
}

function overview() {
  const regimes = [...new Set(data.comparisons.flatMap(one => one.result.regimes.map(regime => regime.regime)))];
  section('overview', 'All comparisons', table(['comparison', ...regimes.map(regimeName)], data.comparisons.map(one => [one.title,
    ...regimes.map(name => {
      const regime = one.result.regimes.find(candidate => candidate.regime === name);
      return !regime ? '' : name === 'native' || regime.cycles.overheadVsNative === null ? cycles(regime.cycles.perReference) : percent(regime.cycles.overheadVsNative);
    })]), 'Native: cycles a reference. The others: overhead over native.'));
}

function overhead(one) {
  const regimes = one.result.regimes;
  const greatest = Math.max(...regimes.map(regime => regime.cycles.perReference));
  const rows = regimes.map(regime => ({
    name: regimeName(regime.regime),
    note: regime.regime === 'native' || regime.cycles.overheadVsNative === null ? cycles(regime.cycles.perReference) : percent(regime.cycles.overheadVsNative),
    parts: causes.map(([key, name, meaning]) => {
      const value = regime.references === 0 ? 0 : regime.cycles[key] / regime.references;
      return { name, value, tint: colour(key), says: `${regimeName(regime.regime)}, ${name}: ${cycles(value)} cycles a reference\n${meaning}` };
    }),
  }));
  section('overhead', 'What each regime costs', html('p', {}, one.verdict.join(' ')),
    legend(causes.map(([key, name]) => [name, colour(key)])),
    stackedBars('overhead-chart', 'Cycles a reference by cause, for each regime', rows, greatest),
    html('p', { class: 'quiet' }, 'Cycles a reference; behind each bar its overhead over native.'),
    asTable(['cycles a reference', ...regimes.map(regime => regimeName(regime.regime))],
      [...causes.map(([key, name], at) => [name, ...rows.map(row => cycles(row.parts[at].value))]),
        ['all', ...regimes.map(regime => cycles(regime.cycles.perReference))],
        ['overhead over native', ...regimes.map(regime => regime.cycles.overheadVsNative === null ? '—' : percent(regime.cycles.overheadVsNative))]]));
}

function walks(one) {
  const grids = one.details.regimes.map((details, at) => {
    const regime = one.result.regimes[at];
    return html('div', {}, html('h3', {}, `${regimeName(details.regime)}: ${number(regime.walks)} walks of ${cycles(regime.walkReferences.perWalk)} references`),
      grid(details, regime));
  });
  section('walks', 'The walk, reference by reference',
    html('p', {}, 'Each cell is a reference that a walk of four levels may need: its mean latency in cycles, and below it how many of the walks did without, and which cache most of them have to thank (n: of the second stage). '
      + 'Under EPT and NPT a row is what it takes to reach one of the guest\'s entries, or the page: the second-stage walk, then the entry. The darker, the more often it is made.'),
    html('div', { class: 'columns' }, grids),
    asTable(['reference', 'regime', 'made', 'mean cycles', ...Object.values(caches)], one.details.regimes.flatMap(details => details.cells.map(cell =>
      [cellName(cell, details.regime), regimeName(details.regime), number(cell.reads), cycles(cell.cyclesPerRead), ...Object.keys(caches).map(key => number(cell.skipped[key] ?? 0))])),
    'How often each reference was made, and how often a cache made it needless'));
}
function cellName(cell, regime) {
  if (cell.secondStage === null) return regime === 'shadow' ? `shadow ${cell.guest}` : regime === 'native' ? cell.guest : `guest ${cell.guest}`;
  return `${regimeName(regime)} ${cell.secondStage} for ${cell.guest === 'page' ? 'the page' : `the guest's ${cell.guest}`}`;
}
function grid(details, regime) {
  // As in `memvirt walk --html`: row by row it is the order of the walk.
  const guests = [...new Set(details.cells.map(cell => cell.guest))];
  const stages = [...new Set(details.cells.map(cell => cell.secondStage))].sort((a, b) => (a === null) - (b === null));
  const isNested = stages.length > 1;
  const columns = isNested ? stages : guests;
  const rows = isNested ? guests : [details.regime === 'shadow' ? 'shadow' : 'guest'];
  return html('div', { class: 'scroll' }, html('table', { class: 'grid', id: `grid-${details.regime}` },
    html('thead', {}, html('tr', {}, html('td', { 'aria-hidden': 'true' }), columns.map(name =>
      html('th', { scope: 'col' }, name === null ? 'guest entry' : isNested ? `${regimeName(details.regime)} ${name}` : name)))),
    html('tbody', {}, rows.map(row => html('tr', {},
      html('th', { scope: 'row' }, row),
      columns.map(column => {
        const cell = details.cells.find(candidate => isNested
          ? candidate.guest === row && candidate.secondStage === column : candidate.guest === column);
        if (!cell) return html('td', { 'aria-hidden': 'true' });
        const made = regime.walks === 0 ? 0 : Math.min(1, cell.reads / regime.walks);
        const skippers = Object.entries(caches).filter(([key]) => cell.skipped[key] > 0).map(([key, name]) => `${name}: ${number(cell.skipped[key])}`);
        const skipped = Object.values(cell.skipped).reduce((sum, count) => sum + count, 0);
        const node = html('td', { style: `background:color-mix(in srgb, var(--walk) ${Math.round(made * 55)}%, transparent)`, 'data-reads': cell.reads },
          html('b', {}, cell.reads === 0 ? '–' : cell.cyclesPerRead.toFixed(1)), html('small', {}, skipped > 0 ? `skip ${share(skipped / regime.walks)}` : made > 0 ? 'always' : 'never'),
          skipped > 0 ? html('small', {}, `by ${shortNames[foremost(cell.skipped)]}`) : null);
        return hint(node, [cellName(cell, details.regime), `made ${number(cell.reads)} times, ${cycles(cell.cyclesPerRead)} cycles each`,
          ...(skippers.length > 0 ? ['not needed thanks to', ...skippers] : skipped === 0 && made < 1 ? ['not part of the other walks: a large page'] : [])].join('\n'));
      }))))));
}

function time(one) {
  const regimes = one.details.regimes;
  const lengths = one.details.sliceReferences;
  const starts = lengths.map((_, at) => lengths.slice(0, at).reduce((sum, length) => sum + length, 0));
  if (lengths.length < 2) {
    section('time', 'Over time', html('p', {}, 'There are too few references for slices of time.'));
    return;
  }
  const x = {
    values: starts, label: 'references since the start of counting', format: short, span: starts.at(-1) + lengths.at(-1),
    says: at => `references ${number(starts[at])} to ${number(starts[at] + lengths[at])}`,
  };
  const seriesOf = (key, per) => regimes.map(regime => ({
    name: regimeName(regime.regime), tint: colour(regime.regime), dash: dashes[regime.regime],
    values: regime.slices[key].map((value, at) => value * per / Math.max(1, lengths[at])),
  }));
  const missed = seriesOf('l2Misses', 1000), spent = seriesOf('walkCycles', 1), left = seriesOf('exits', 1e6);
  const y = what => ({ format: short, says: value => `${cycles(value)} ${what}` });
  section('time', 'Over time', html('p', {}, `The references in ${lengths.length} slices: where a program changes what it does, its misses change.`),
    html('div', { class: 'columns' },
      html('div', {}, html('h3', {}, 'Second-level TLB misses a thousand references'),
        lines('misses-chart', 'Misses of the second-level TLB a thousand references, over time', x, y('a thousand'), missed)),
      html('div', {}, html('h3', {}, 'Walk cycles a reference'),
        lines('walk-cycles-chart', 'Walk cycles a reference, over time', x, y('cycles'), spent)),
      html('div', {}, html('h3', {}, 'VM exits a million references'),
        lines('exits-time-chart', 'VM exits a million references, over time', x, y('a million'), left.filter((_, at) => regimes[at].regime !== 'native')))),
    asTable(['from reference', ...missed.map(one => `misses, ${one.name}`), ...spent.map(one => `walk cycles, ${one.name}`)],
      starts.map((from, at) => [number(from), ...missed.map(one => cycles(one.values[at])), ...spent.map(one => cycles(one.values[at]))])));
}

function reuse(one) {
  // Of a guest that runs, reuse is not measured.
  if (!one.details.reuse.uses) return;
  const { pages, uses, firstUses, distances } = one.details.reuse;
  // A TLB of 2^k entries misses first uses and distances of 2^k and more.
  const steps = distances.length;
  const misses = Array.from({ length: steps + 1 }, (_, power) => (firstUses + distances.slice(power + 1).reduce((sum, count) => sum + count, 0)) / Math.max(1, uses));
  const entries = misses.map((_, power) => 2 ** power);
  const most = Math.max(1, misses.length - 1);
  const reachOf = level => {
    const held = (data.machines[one.machine].tlb[level] ?? []).filter(structure => structure.pageSizes.includes(pages));
    return held.reduce((sum, structure) => sum + structure.entries, 0);
  };
  const markers = [['l1d', 'L1D TLB'], ['l2', 'L2 TLB']].map(([level, name]) => ({ name, entries: reachOf(level) }))
    .filter(marker => marker.entries > 0 && Math.log2(marker.entries) <= most)
    .map(marker => ({ position: Math.log2(marker.entries) / most, name: `${marker.name}: ${number(marker.entries)} entries` }));
  section('reuse', 'Page reuse against TLB reach',
    html('p', {}, `How many of ${short(uses)} uses of ${pages} pages a fully associative LRU TLB would miss, by its entries: those whose page was last used so many other pages ago, `
      + `and the ${number(firstUses)} first uses, which every TLB misses.`),
    lines('reuse-chart', 'Share of page uses missed, by entries of a fully associative TLB',
      { values: entries, label: `entries (${pages} pages)`, format: short, says: at => `${number(entries[at])} entries` },
      { log: true, format: value => value >= 0.01 ? `${Number((value * 100).toPrecision(2))} %` : `${Number((value * 100).toPrecision(1))} %`, says: value => `${share(value)} missed (${value.toExponential(2)})` },
      [{ name: 'missed', tint: colour('ept'), values: misses }], markers),
    asTable(['entries', 'missed', 'share'], entries.map((count, at) => [number(count), number(Math.round(misses[at] * uses)), share(misses[at])])));
}

function exits(one) {
  const regimes = one.result.regimes.filter(regime => regime.regime !== 'native');
  if (regimes.length === 0) return;
  const tints = ['exits', 'walk', 'faults', 'tlb', 'shadow', 'base', 'ept'].map(colour);
  const rows = regimes.map(regime => ({
    name: regimeName(regime.regime), note: number(regime.events.exits),
    parts: one.exits.map((kind, at) => {
      const value = kind.counts[one.result.regimes.indexOf(regime)];
      return { name: kind.kind, value, tint: tints[at % tints.length], says: `${regimeName(regime.regime)}, ${kind.kind}: ${number(value)} exits` };
    }),
  }));
  section('exits', 'VM exits by kind', one.exits.length === 0 ? html('p', {}, 'There were none.') : [
    legend(one.exits.map((kind, at) => [kind.kind, tints[at % tints.length]])),
    stackedBars('exits-chart', 'VM exits by kind, for each regime', rows, Math.max(...regimes.map(regime => regime.events.exits))),
    asTable(['exits', ...regimes.map(regime => regimeName(regime.regime))],
      [...one.exits.map(kind => [kind.kind, ...regimes.map(regime => number(kind.counts[one.result.regimes.indexOf(regime)]))]),
        ['all', ...regimes.map(regime => number(regime.events.exits))]])]);
}

function machine(one) {
  const { name, sources, ...topics } = data.machines[one.machine];
  const said = value => Array.isArray(value) ? value.map(said).join('; ')
    : value !== null && typeof value === 'object' ? Object.entries(value).map(([key, inner]) => `${words(key)} ${said(inner)}`).join(', ') : String(value);
  const rows = Object.entries(topics).flatMap(([topic, value]) => value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.entries(value).map(([key, inner]) => [`${words(topic)}: ${words(key)}`, said(inner)]) : [[words(topic), said(value)]]);
  section('machine', `The machine: ${name}`,
    html('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Parameters' }, html('table', { id: 'machine-table' },
      html('thead', {}, html('tr', {}, html('th', { scope: 'col' }, 'parameter'), html('th', { scope: 'col', style: 'text-align:left' }, 'value'))),
      html('tbody', {}, rows.map(([key, value]) => html('tr', {}, html('th', { scope: 'row' }, key), html('td', { class: 'wrap' }, value)))))),
    html('h3', {}, 'Where that is from'),
    html('ul', {}, Object.entries(sources ?? {}).map(([topic, text]) => html('li', {}, html('b', {}, words(topic)), `: ${text}`))),
    html('p', { class: 'quiet' }, one.inputs));
}
function words(key) {
  return key.replace(/([a-z])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`)
    .replace(/\b(l1i|l1d|l2|llc|tlb|pml4e|pdpte|pde|kib|cpi)\b/gi, name => name.toLowerCase() === 'kib' ? 'KiB' : name.toUpperCase());
}
