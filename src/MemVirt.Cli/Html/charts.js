// Charts that several pages draw.
const dashes = { native: '1 0', shadow: '7 3', ept: '1 0', npt: '2 3' };

// Bars of parts, one for each row. rows: [{ name, note, parts: [{ name, value, tint, says }] }]
function stackedBars(id, label, rows, greatest) {
  return chart(id, label, width => {
    const left = 64, right = 88, bar = 26, step = 40;
    const scale = Math.max(40, width - left - right) / (greatest || 1);
    const marks = ticks(greatest, Math.max(2, Math.floor((width - left - right) / 90)));
    const bottom = rows.length * step + 6;
    return svg('svg', { viewBox: `0 0 ${width} ${bottom + 20}`, width, height: bottom + 20 },
      marks.filter(mark => mark <= greatest).map(mark => [
        svg('path', { class: 'axis', d: `M${left + mark * scale} 0V${bottom}` }),
        svg('text', { class: 'quiet', x: left + mark * scale, y: bottom + 15, 'text-anchor': 'middle' }, short(mark))]),
      rows.map((row, at) => {
        let x = left;
        return svg('g', {},
          svg('text', { x: left - 8, y: at * step + 22, 'text-anchor': 'end' }, row.name),
          row.parts.filter(part => part.value > 0).map(part => {
            const size = part.value * scale;
            const node = hint(svg('rect', { x, y: at * step + 5, width: Math.max(size, 0.5), height: bar, fill: part.tint, 'data-value': part.value }), part.says);
            x += size;
            return node;
          }),
          svg('text', { x: x + 6, y: at * step + 22 }, row.note));
      }));
  });
}

// Lines over a common x. x: { values, label, format, log }, series: [{ name, tint, dash, values }], markers: [{ at, name }]
// The whole chart takes the focus; arrows move a cursor whose values are told.
function lines(id, label, x, y, series, markers = []) {
  const figure = chart(id, label, width => {
    const left = 52, right = 14, top = 10 + (markers.length > 0 ? 14 * markers.length : 0), height = Math.min(280, Math.max(170, width * 0.42)), bottom = top + height;
    const every = series.flatMap(one => one.values).filter(value => value !== null);
    const greatest = Math.max(...every, 0);
    const inner = Math.max(60, width - left - right);
    const xOf = at => left + (x.values.length < 2 ? inner / 2 : x.span ? x.values[at] / x.span * inner : at / (x.values.length - 1) * inner);
    const yTicks = y.log ? decades(every) : ticks(greatest, 4);
    const low = y.log ? Math.log10(yTicks[0]) : 0, high = y.log ? Math.log10(yTicks.at(-1)) : yTicks.at(-1) || 1;
    const yOf = value => bottom - ((y.log ? Math.log10(Math.max(value, yTicks[0])) : value) - low) / (high - low || 1) * height;
    const cursor = svg('path', { class: 'axis', d: '', 'pointer-events': 'none' });
    const places = Math.max(2, Math.floor(inner / 70));
    const labelled = x.span
      ? ticks(x.span, places - 1).filter(mark => mark <= x.span).map(mark => [left + mark / x.span * inner, mark])
      : x.values.map((value, at) => [xOf(at), value]).filter((_, at) => at % Math.ceil(x.values.length / places) === 0);
    const picture = svg('svg', { viewBox: `0 0 ${width} ${bottom + 36}`, width, height: bottom + 36, tabindex: '0' },
      yTicks.map(mark => [
        svg('path', { class: 'axis', d: `M${left} ${yOf(mark)}H${left + inner}` }),
        svg('text', { class: 'quiet', x: left - 6, y: yOf(mark) + 4, 'text-anchor': 'end' }, y.format(mark))]),
      labelled.map(([place, value]) => svg('text', { class: 'quiet', x: place, y: bottom + 16, 'text-anchor': 'middle' }, x.format(value))),
      svg('text', { class: 'quiet', x: left + inner / 2, y: bottom + 32, 'text-anchor': 'middle' }, x.label),
      markers.map((marker, at) => {
        const place = left + marker.position * inner;
        const onLeft = marker.position > 0.6;
        return [svg('path', { d: `M${place} ${8 + at * 14}V${bottom}`, stroke: colour('quiet'), 'stroke-dasharray': '3 3', fill: 'none' }),
          svg('text', { x: place + (onLeft ? -4 : 4), y: 12 + at * 14, 'text-anchor': onLeft ? 'end' : 'start' }, marker.name)];
      }),
      series.map(one => svg('path', {
        d: one.values.map((value, at) => value === null ? '' : `${at === 0 || one.values[at - 1] === null ? 'M' : 'L'}${xOf(at).toFixed(1)} ${yOf(value).toFixed(1)}`).join(''),
        stroke: one.tint, 'stroke-width': 2, 'stroke-dasharray': one.dash ?? null, 'stroke-linejoin': 'round', fill: 'none', 'data-series': one.name })),
      x.values.length <= 40 ? series.map(one => one.values.map((value, at) => value === null ? null :
        svg('circle', { cx: xOf(at), cy: yOf(value), r: 3, fill: one.tint, 'data-value': value }))) : null,
      cursor);
    const show = at => {
      const place = xOf(at);
      cursor.setAttribute('d', `M${place} ${top}V${bottom}`);
      const words = [x.says(at), ...series.map(one => `${one.name}: ${one.values[at] === null ? '—' : y.says(one.values[at])}`)].join('\n');
      picture.setAttribute('aria-label', `${label}. ${words.replaceAll('\n', ', ')}`);
      const box = picture.getBoundingClientRect();
      showTip(words, box.left + place, box.top + top + 8);
    };
    let at = 0;
    picture.addEventListener('pointermove', event => {
      const where = event.clientX - picture.getBoundingClientRect().left;
      at = x.values.reduce((best, _, candidate) => Math.abs(xOf(candidate) - where) < Math.abs(xOf(best) - where) ? candidate : best, 0);
      show(at);
    });
    picture.addEventListener('pointerleave', () => { tip.hidden = true; cursor.setAttribute('d', ''); });
    picture.addEventListener('focus', () => { if (picture.matches(':focus-visible')) show(at); });
    picture.addEventListener('blur', () => { tip.hidden = true; cursor.setAttribute('d', ''); });
    picture.addEventListener('keydown', event => {
      const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -x.values.length, End: x.values.length }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      at = Math.max(0, Math.min(x.values.length - 1, at + by));
      show(at);
    });
    return picture;
  });
  return html('div', {},
    series.length > 1 ? lineLegend(series) : null,
    figure);
}
const lineLegend = series => html('ul', { class: 'legend' }, series.map(one => html('li', {},
  svg('svg', { width: 26, height: 10, 'aria-hidden': 'true', style: 'display:inline-block;vertical-align:1px;margin-right:6px' },
    svg('path', { d: 'M0 5H26', stroke: one.tint, 'stroke-width': 2.5, 'stroke-dasharray': one.dash ?? null })), one.name)));
function decades(values) {
  const positive = values.filter(value => value > 0);
  if (positive.length === 0) return [0.1, 1];
  const low = Math.floor(Math.log10(Math.min(...positive))), high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive))));
  return Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at));
}
