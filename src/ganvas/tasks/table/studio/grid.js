// A grid of rows, a page of them at a time.
import { h, whole } from '/static/dom.js';

const PAGE = 25; // rows of a page

/**
 * Rows in pages. Cells are set as text, whatever they hold.
 * @param columns their names, and `isNumber` of each: numbers are right-aligned
 * @param mark a function of (row, column) that may give a class, a further line of text, or nothing
 * @param note a function of a row that gives a text next to its number
 */
export function grid(title, columns, isNumber, mark = () => null, note = null) {
  const head = columns.map((name, j) => h(`th${isNumber[j] ? '.number' : ''}`, { scope: 'col' }, name));
  const body = h('tbody'),
    where = h('span.soft', { 'aria-live': 'polite' });
  let rows = [],
    numbers = [],
    first = 0;
  const step = (by) => () => {
    first = Math.max(0, first + by < rows.length ? first + by : first);
    paint();
  };
  const back = h('button', { click: step(-PAGE), 'aria-label': 'Previous rows' }, '←'),
    on = h('button', { click: step(PAGE), 'aria-label': 'Next rows' }, '→');
  function cell(value, i, j) {
    const marked = mark(numbers[i], j);
    const text = value === null ? h('span.none', { title: 'missing' }, '·') : value;
    const more = marked?.text ? h('span.more', {}, marked.text) : null;
    return h(`td${isNumber[j] ? '.number' : ''}${marked ? `.${marked.kind}` : ''}`, {}, text, more);
  }
  function paint() {
    const shown = rows.slice(first, first + PAGE);
    body.replaceChildren(
      ...shown.map((row, i) => {
        const number = h('th.number', { scope: 'row' }, whole(numbers[first + i] + 1));
        const beside = note ? h('td.note-cell', {}, note(numbers[first + i])) : null;
        return h('tr', {}, number, beside, row.map((value, j) => cell(value, first + i, j)));
      }),
    );
    const end = first + shown.length;
    where.textContent = rows.length ? `Rows ${whole(first + 1)} to ${whole(end)} of ${whole(rows.length)}` : 'No rows';
    back.setAttribute('aria-disabled', first === 0);
    on.setAttribute('aria-disabled', end >= rows.length);
  }
  const corner = [h('th.number', { scope: 'col' }, '#'), note ? h('th', { scope: 'col' }, 'What is odd') : ''];
  return {
    element: h(
      'div',
      {},
      h(
        '.scroll.rows',
        { tabindex: 0, role: 'region', 'aria-label': title },
        h('table', {}, h('thead', {}, h('tr', {}, corner.filter(Boolean), head)), body),
      ),
      h('.row', {}, back, on, where),
    ),
    /** Show rows; `which` are their numbers where they are some of more. */
    show(all, which = all.map((_, i) => i)) {
      [rows, numbers, first] = [all, which, 0];
      paint();
    },
  };
}

/** Rows as CSV. */
export function csv(columns, rows) {
  const quoted = (text) => (/[",\r\n]|^\s|\s$/.test(text) || text === '' ? `"${text.replaceAll('"', '""')}"` : text);
  const line = (cells) => cells.map((text) => (text === null ? '' : quoted(text))).join(',');
  return `${[columns, ...rows].map(line).join('\n')}\n`;
}
