// The page of `memvirt sweep --report`: curves along one axis of the sweep, a chart for each combination of the others.
const { definition, columns } = data;
const axes = {
  l2TlbEntries: { name: 'entries of the second-level TLB', values: definition.l2TlbEntries.map(count => count === 0 ? 'as the machine has' : number(count)) },
  pages: { name: 'page sizes, guest on host', values: definition.guestPages.flatMap(guest => definition.hostPages.map(host => `${guest} on ${host}`)) },
  machines: { name: 'machine', values: definition.machines.map(machine => machine.name) },
};
const paths = definition.traces.map(trace => trace.path);
const files = paths.map(path => path.split('/').at(-1));
const traces = new Set(files).size === files.length ? files : paths;
const nested = definition.regimes.includes('ept') ? 'ept' : definition.regimes.includes('npt') ? 'npt' : null;
const hasNative = definition.regimes.includes('native');
const measure = hasNative ? 'overhead' : 'cycles';
const worth = value => value === null ? '—' : hasNative ? percent(value) : `${value.toFixed(3)} cycles a reference`;
// Points are in the definition's order, page sizes of the VMM innermost.
function pointOf(trace, place) {
  return ((trace * axes.machines.values.length + place.machines) * axes.l2TlbEntries.values.length + place.l2TlbEntries) * axes.pages.values.length + place.pages;
}
const wide = Object.keys(axes).filter(axis => axes[axis].values.length > 1);
main.append(html('p', { class: 'quiet' }, `${number(definition.points)} points: ${traces.length} traces, ${axes.machines.values.length} machines, `
  + `${axes.l2TlbEntries.values.length} sizes of the second-level TLB, ${axes.pages.values.length} pairs of page sizes`));
const pickTrace = html('select', { id: 'trace' }, traces.map((trace, at) => html('option', { value: at }, trace)));
const pickAxis = html('select', { id: 'axis' }, (wide.length > 0 ? wide : ['pages']).map(axis => html('option', { value: axis }, axes[axis].name)));
for (const pick of [pickTrace, pickAxis]) pick.addEventListener('change', draw);
main.append(html('p', {}, html('label', { for: 'trace' }, 'Trace '), pickTrace, ' ', html('label', { for: 'axis' }, 'along '), pickAxis));
const drawn = html('div', { id: 'curves' });
main.append(drawn);
draw();
everything();
section('command', 'This page again', html('pre', {}, data.command), html('p', { class: 'quiet' }, `MemVirt ${data.version}`));

function draw() {
  const trace = Number(pickTrace.value), axis = pickAxis.value;
  const others = Object.keys(axes).filter(other => other !== axis);
  const charts = [];
  for (let first = 0; first < axes[others[0]].values.length; first++) {
    for (let second = 0; second < axes[others[1]].values.length; second++) {
      const place = { [others[0]]: first, [others[1]]: second };
      const name = others.filter(other => axes[other].values.length > 1 || other === 'machines').map(other =>
        other === 'l2TlbEntries' ? `${axes[other].values[place[other]]} entries` : axes[other].values[place[other]]).join(', ');
      charts.push(curve(trace, axis, place, name, charts.length));
    }
  }
  drawn.replaceChildren(html('section', { id: 'curves-section' }, html('h2', {}, 'Where does nested paging overtake shadow paging?'),
    html('p', {}, hasNative ? 'Overhead over native paging.' : 'Cycles a reference.'), html('div', { class: 'columns' }, charts)));
}

function curve(trace, axis, place, name, at) {
  const values = axes[axis].values;
  const of = regime => values.map((_, along) => columns[regime][measure][pointOf(trace, { ...place, [axis]: along })]);
  const shown = definition.regimes.filter(regime => !(hasNative && regime === 'native'));
  const series = shown.map(regime => ({ name: regimeName(regime), tint: colour(regime), dash: dashes[regime], values: of(regime) }));
  return html('div', {}, html('h3', {}, name),
    lines(`curve-${at}`, `${hasNative ? 'Overhead over native' : 'Cycles a reference'}, ${name}`,
      { values, label: axes[axis].name, format: value => value, says: along => values[along] },
      { format: value => hasNative ? `${Math.round(value * 1000) / 10} %` : short(value), says: worth }, series),
    nested && shown.includes('shadow') ? html('p', { class: 'verdict' }, verdict(values, of('shadow'), of(nested))) : null);
}

function verdict(values, shadow, other) {
  const name = regimeName(nested);
  const cheaper = values.map((_, at) => Math.sign(shadow[at] - other[at]));
  const changes = [];
  for (let at = 1; at < values.length; at++) {
    if (cheaper[at] !== cheaper[at - 1] && cheaper[at] !== 0) {
      changes.push(`${cheaper[at] > 0 ? `${name} overtakes shadow paging` : `shadow paging overtakes ${name}`} between ${values[at - 1]} and ${values[at]}`);
    }
  }
  if (changes.length > 0) return changes.join('; ') + '.';
  return cheaper[0] > 0 ? `${name} costs less than shadow paging throughout.` : cheaper[0] < 0 ? `Shadow paging costs less than ${name} throughout.` : 'Both cost the same.';
}

function everything() {
  const rows = [];
  traces.forEach((trace, t) => axes.machines.values.forEach((machine, machines) => axes.l2TlbEntries.values.forEach((entries, l2TlbEntries) =>
    axes.pages.values.forEach((pages, at) => {
      const point = pointOf(t, { machines, l2TlbEntries, pages: at });
      rows.push([trace, machine, entries, pages, ...definition.regimes.map(regime => hasNative && regime !== 'native'
        ? percent(columns[regime].overhead[point]) : columns[regime].cycles[point].toFixed(3))]);
    }))));
  // Thousands of rows: made when asked for.
  const whole = html('details', {}, html('summary', {}, `All ${number(rows.length)} points as a table`));
  whole.addEventListener('toggle', () => {
    if (whole.children.length === 1) whole.append(table(['trace', 'machine', 'L2 TLB', 'pages', ...definition.regimes.map(regimeName)], rows,
      hasNative ? 'Native: cycles a reference. The others: overhead over native.' : 'Cycles a reference'));
  });
  section('points', 'All points', whole);
}
