// One access explained: for each regime the walk's references as a grid to step through.
document.head.append(html('style', {}, `
.walk { display: grid; grid-template-columns: minmax(0, 1.35fr) minmax(0, 1fr); gap: 8px 28px; align-items: start; }
.walk .grid table { width: 100%; table-layout: fixed; }
.walk .grid td { padding: 0; height: 1px; }
.walk .grid td button { display: block; width: 100%; height: 100%; min-height: 46px; border: 0; border-radius: 0; padding: 4px 2px; background: none; overflow-wrap: anywhere; line-height: 1.2; }
.walk .grid td small { white-space: normal; }
.walk .read { background: color-mix(in srgb, var(--ept) 22%, var(--page)); }
.walk .own { background: color-mix(in srgb, var(--walk) 30%, var(--page)); }
.walk .skipped { background: repeating-linear-gradient(45deg, var(--panel) 0 5px, var(--line) 5px 6px); }
.walk .skipped b { font-weight: 400; color: var(--quiet); }
.walk .faulted { background: color-mix(in srgb, var(--exits) 38%, var(--page)); }
.walk td.current { outline: 3px solid var(--focus); outline-offset: -2px; position: relative; z-index: 1; }
.walk td.current b { text-decoration: underline; }
.walk .none { color: var(--line); height: 46px; }
.steps { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin: 8px 0; }
.steps output { min-width: 9ch; text-align: center; font-variant-numeric: tabular-nums; }
.detail { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 10px 14px; min-height: 270px; }
.detail h3 { margin: 0 0 6px; }
.detail dl, .fault dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 12px; margin: 0; }
.detail dt, .fault dt { color: var(--quiet); }
.detail dd, .fault dd { margin: 0; overflow-wrap: anywhere; }
.detail code, .fault code { white-space: normal; }
.fault { border-left: 4px solid var(--exits); padding: 4px 0 4px 12px; margin: 12px 0; }
.fault ul { margin: 2px 0; padding-left: 18px; }
.fault li.off { color: var(--quiet); }
.swatch { border: 1px solid var(--line); }
@media (max-width: 760px) { .walk { grid-template-columns: minmax(0, 1fr); } .detail { min-height: 250px; } .walk .grid th { font-size: 10px; } .walk .grid td b { font-size: 12px; } }
`));

const guestLevels = ['PML4E', 'PDPTE', 'PDE', 'PTE'];
const cycles = value => value === 0 ? 'no cycles' : `${new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 }).format(value)} ${value === 1 ? 'cycle' : 'cycles'}`;
const plural = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;
const isNested = regime => regime === 'ept' || regime === 'npt';
const price = line => line.read ? (line.by === 'read' ? String(line.cycles) : `${line.by} ${line.cycles}`) : line.by;
const purpose = line => line.for === 'page' ? 'for the accessed page itself' : `to find the guest's ${line.for}`;
const steppers = [];
let active = null;

function faultOf(fault, how) {
  return html('div', { class: 'fault' }, html('b', {}, fault.name + how), ': ' + fault.delivery + '.',
    html('dl', {}, fault.fields.map(field => [html('dt', {}, field.name), html('dd', {}, html('code', {}, field.value),
      field.bits.length === 0 ? null : html('ul', {}, field.bits.map(bit =>
        html('li', { class: bit.value ? null : 'off' }, `${bit.name}=${bit.value} ${bit.words} (bit ${bit.bit})`))))])));
}

function detailOf(line, count) {
  const rows = [
    ['place', `${line.number} of ${count} in the walk without caches${line.table === 'ept' || line.table === 'npt' ? ', ' + purpose(line) : ''}`],
    ['served by', line.read ? (line.by === 'read' ? 'a read' : line.by) + ', ' + cycles(line.cycles) : `${line.by}: not read`],
    ['at host', html('code', {}, line.hostAddress)],
    line.guestPhysical ? [line.table === 'guest' ? 'at guest' : 'translates', html('code', {}, line.guestPhysical)] : null,
    ['entry', html('code', {}, line.entry)],
    ['bits', `${line.bits}: ${line.words.join(', ')}`],
    ['leads to', line.leadsTo ?? 'nothing'],
    line.sets.length ? ['then set', line.sets.join(', ')] : null,
  ].filter(row => row);
  return [html('h3', {}, `${line.number}. ${line.name}`), html('dl', {}, rows.map(([name, value]) => [html('dt', {}, name), html('dd', {}, value)]))];
}

// The places of the grid: [heading of the row, cells], a cell being the reference that stands there.
function placesOf(regime, references) {
  if (!isNested(regime)) return [['', guestLevels.map(level => references.find(line => line.name.endsWith(' ' + level)))]];
  return [...guestLevels, 'page'].map(target => [target, [
    ...guestLevels.map(level => references.find(line => line.table === regime && line.for === target && line.name.endsWith(' ' + level))),
    ...(target === 'page' ? [] : [references.find(line => line.table === 'guest' && line.for === target)]),
  ]]);
}

function walkOf(regime, walk) {
  const lines = walk.references;
  const cells = new Map();
  const detail = html('div', { class: 'detail', 'aria-live': 'polite' });
  const place = html('output', {});
  let at = -1;
  const isFault = line => walk.fault && line === lines[lines.length - 1];
  function show(next) {
    if (next < 0 || next >= lines.length) return;
    cells.get(lines[at])?.classList.remove('current');
    cells.get(lines[at])?.firstChild.removeAttribute('aria-current');
    at = next;
    cells.get(lines[at])?.classList.add('current');
    cells.get(lines[at])?.firstChild.setAttribute('aria-current', 'step');
    detail.replaceChildren(...detailOf(lines[at], lines.length));
    place.textContent = `${at + 1} of ${lines.length}`;
    previous.disabled = at === 0;
    following.disabled = at === lines.length - 1;
    active = stepper;
  }
  const previous = html('button', { type: 'button', class: 'previous' }, '← Previous');
  const following = html('button', { type: 'button', class: 'next' }, 'Next →');
  previous.addEventListener('click', () => show(at - 1));
  following.addEventListener('click', () => show(at + 1));
  const cell = line => {
    if (!line) return html('td', { class: 'none' }, '·');
    const words = `${line.number}. ${line.name}, ${line.read ? 'read' : 'not read'}, ${price(line)}`;
    const button = html('button', { type: 'button', 'aria-label': words, tabindex: '-1' }, html('b', {}, line.read ? String(line.number) : `(${line.number})`), html('small', {}, price(line)));
    button.addEventListener('click', () => show(lines.indexOf(line)));
    const kind = isFault(line) ? 'faulted' : !line.read ? 'skipped' : line.table === 'guest' || line.table === 'shadow' ? 'own' : 'read';
    const node = html('td', { class: kind, 'data-number': line.number, 'data-by': line.by, 'data-cycles': line.cycles }, button);
    cells.set(line, node);
    return node;
  };
  const stage = regimeName(regime);
  const headings = isNested(regime) ? ['to find', ...guestLevels.map(level => `${stage} ${level}`), 'guest entry'] : guestLevels.map(level => `${regime === 'shadow' ? 'shadow' : 'guest'} ${level}`);
  const grid = html('div', { class: 'grid', role: 'group', tabindex: '0', 'aria-label': `The walk under ${stage}; left and right arrow keys step through it` }, html('table', {},
    html('thead', {}, html('tr', {}, headings.map(heading => html('th', { scope: 'col' }, heading)))),
    html('tbody', {}, placesOf(regime, lines).map(([target, row]) => html('tr', {},
      isNested(regime) ? html('th', { scope: 'row' }, target) : null, row.map(cell),
      isNested(regime) && target === 'page' ? html('td', { class: 'none' }, 'data') : null)))));
  const stepper = { step: by => show(at + by), first: () => show(0), last: () => show(lines.length - 1) };
  steppers.push(stepper);
  grid.addEventListener('focus', () => { active = stepper; });
  const node = html('div', {}, html('div', { class: 'steps' }, previous, place, following),
    html('div', { class: 'walk' }, grid, detail));
  node.addEventListener('pointerdown', () => { active = stepper; });
  show(0);
  return node;
}

function attemptOf(regime, attempt, number, count) {
  const lookups = attempt.lookups.map(lookup => lookup.hit
    ? `${lookup.level}: hit (${lookup.structure}), ${cycles(lookup.cycles)}`
    : lookup.droppedForStore ? `${lookup.level}: an entry of a page not dirty, no use to a store (${lookup.structure})` : `${lookup.level}: no entry`);
  const walk = attempt.walk;
  return html('div', {},
    count > 1 ? html('h3', {}, `Attempt ${number} of ${count}: ${cycles(attempt.cycles)}`) : null,
    lookups.length ? html('p', {}, lookups.join('; ') + '.') : null,
    walk ? html('p', {}, (attempt.hypothetical ? 'Had the TLBs missed: ' : '') + `${plural(walk.reads, 'reference')} read`
      + (walk.skipped ? `, ${walk.skipped} spared` : '') + `, ${cycles(walk.cycles)}`
      + (walk.hostPhysical ? `, to host-physical ${walk.hostPhysical} in a ${walk.pageSize} page.` : '.')) : null,
    walk ? walkOf(regime, walk) : null,
    walk?.fault ? faultOf(walk.fault, '') : null,
    attempt.then ? html('p', {}, attempt.then[0].toUpperCase() + attempt.then.slice(1) + ` (${cycles(attempt.softwareCycles)}).`) : null,
    attempt.injected ? faultOf(attempt.injected, ' injected') : null,
    walk ? asTable(['#', 'reads', 'at host', 'entry', 'bits', 'leads to', 'served by'],
      walk.references.map(line => [String(line.number), line.name, line.hostAddress, line.entry, line.bits, line.leadsTo ?? '—',
        line.read ? price(line) : line.by + ', not read'])) : null);
}

// Of several attempts one is shown at a time, at first the last.
function translationOf(regime, translation, several) {
  const attempts = translation.attempts;
  const place = html('div', {});
  const show = index => place.replaceChildren(attemptOf(regime, attempts[index], index + 1, attempts.length));
  const choose = html('select', { 'aria-label': 'Attempt' }, attempts.map((attempt, index) => html('option', { value: index, selected: index === attempts.length - 1 },
    `Attempt ${index + 1}: ${attempt.walk?.fault ? attempt.walk.fault.name : attempt.hypothetical ? 'TLB hit' : 'completed'}`)));
  choose.addEventListener('change', () => show(Number(choose.value)));
  show(attempts.length - 1);
  const again = translation.again;
  return html('div', {}, several ? html('h3', {}, `At ${translation.address}`) : null,
    attempts.length > 1 ? html('p', {}, choose) : null, place,
    again ? html('p', { class: 'quiet' }, `The same walk right after: ${plural(again.reads, 'reference')}, ${cycles(again.cycles)}`
      + (again.cacheHits.length ? ': ' + again.cacheHits.map(hit => `the ${hit.cache} would spare ${hit.skipped}`).join(', ') : '') + '.') : null);
}

main.append(html('p', { class: 'quiet' }, `${data.guestPages} guest pages on ${data.hostPages} host pages, on ${data.machine}`
  + (data.trace ? `, as it stands when the references before it have run.` : ', every cache empty.')
  + (data.changes.length ? ` Changed in the tables first: ${data.changes.join(', ')}.` : '')));
data.notes.forEach(note => main.append(html('p', {}, note)));
main.append(html('ul', { class: 'legend walk', style: 'display:flex' },
  [['read', 'read of the second stage'], ['own', "read of the guest's or shadow tables"], ['skipped', 'not read: a cache spares it'], ['faulted', 'the fault']]
    .map(([kind, words]) => html('li', {}, html('span', { class: `swatch ${kind}` }), words))));
for (const regime of data.regimes) {
  section('walk-' + regime.regime, `${regimeName(regime.regime)}: ${regime.headline}`,
    regime.translations.map(translation => translationOf(regime.regime, translation, regime.translations.length > 1)),
    html('p', {}, html('b', {}, 'Why nothing cheaper: '), regime.why));
}
section('bits', "The bits' letters", html('p', {}, data.letters.map(letter => `${letter.letter} ${letter.words}`).join(', ') + '.'));
section('command', 'This page again', html('pre', {}, data.command));
active = steppers[0] ?? null;

document.addEventListener('keydown', event => {
  if (event.altKey || event.ctrlKey || event.metaKey || !active || /^(SELECT|INPUT|TEXTAREA)$/.test(event.target.tagName) || event.target.closest('.scroll')) return;
  const step = { ArrowLeft: () => active.step(-1), ArrowRight: () => active.step(1), Home: active.first, End: active.last }[event.key];
  if (!step || ((event.key === 'Home' || event.key === 'End') && !event.target.closest('.walk'))) return;
  event.preventDefault();
  step();
});
