// What every page has: elements, numbers, hints, legends, tables. Text goes in as text, never as markup.
const data = JSON.parse(document.getElementById('data').textContent);
const main = document.getElementById('main');
const svgNamespace = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return node;
}
const html = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) => fill(document.createElementNS(svgNamespace, name), attributes, children);

const groups = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const number = value => groups.format(value);
function short(value) {
  const size = Math.abs(value);
  if (size >= 1e9) return (value / 1e9).toPrecision(3) + ' G';
  if (size >= 1e6) return (value / 1e6).toPrecision(3) + ' M';
  if (size >= 1e4) return (value / 1e3).toPrecision(3) + ' k';
  return size === 0 ? '0' : size >= 100 ? number(value) : String(Number(value.toPrecision(3)));
}
const percent = value => (value >= 0 ? '+' : '−') + (Math.abs(value) * 100).toFixed(1) + ' %';
const regimeName = regime => ({ ept: 'EPT', npt: 'NPT' })[regime] ?? regime;
const colour = name => `var(--${name})`;

// A hint by pointer, keyboard or touch; screen readers get the same words as the element's name.
const tip = html('div', { id: 'tip', hidden: true, role: 'presentation' });
document.body.append(tip);
function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - box.width - 4)) + 'px';
  tip.style.top = (y + 16 + box.height > innerHeight ? y - box.height - 8 : y + 16) + 'px';
}
function hint(node, text) {
  node.setAttribute('tabindex', '0');
  node.setAttribute('aria-label', text.replaceAll('\n', ', '));
  if (node instanceof SVGElement) node.setAttribute('role', 'img');
  node.addEventListener('pointermove', event => showTip(text, event.clientX, event.clientY));
  node.addEventListener('pointerleave', () => { tip.hidden = true; });
  node.addEventListener('focus', () => {
    const box = node.getBoundingClientRect();
    showTip(text, box.left + box.width / 2, box.bottom - 12);
  });
  node.addEventListener('blur', () => { tip.hidden = true; });
  return node;
}

function section(id, title, ...children) {
  const node = html('section', { id, 'aria-labelledby': id + '-title' }, html('h2', { id: id + '-title' }, title), children);
  main.append(node);
  return node;
}
const legend = entries => html('ul', { class: 'legend' }, entries.map(([name, tint]) =>
  html('li', {}, html('span', { style: `background:${tint}` }), name)));
function table(headings, rows, caption) {
  return html('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption ?? 'table' }, html('table', {},
    caption ? html('caption', {}, caption) : null,
    html('thead', {}, html('tr', {}, headings.map(heading => html('th', { scope: 'col' }, heading)))),
    html('tbody', {}, rows.map(row => html('tr', {}, row.map((cell, at) =>
      at === 0 ? html('th', { scope: 'row' }, cell) : html('td', {}, cell)))))));
}
const asTable = (headings, rows, caption) =>
  html('details', {}, html('summary', {}, 'The same as a table'), table(headings, rows, caption));
// A chart: drawn for the width there is, once more whenever that changes.
function chart(id, label, draw) {
  const figure = html('figure', { id });
  let drawn = 0;
  new ResizeObserver(() => {
    const width = Math.round(figure.clientWidth);
    if (width > 0 && width !== drawn) {
      drawn = width;
      const picture = draw(width);
      picture.setAttribute('role', 'group');
      picture.setAttribute('aria-label', label);
      figure.replaceChildren(picture);
    }
  }).observe(figure);
  return figure;
}
// Round steps that cover 0 to the greatest value.
function ticks(greatest, count) {
  if (!(greatest > 0)) return [0, 1];
  const rough = greatest / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(digit => digit * power).find(candidate => candidate >= rough * 0.999);
  return Array.from({ length: Math.ceil(greatest / step - 1e-9) + 1 }, (_, at) => at * step);
}
