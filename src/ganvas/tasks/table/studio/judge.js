// A person's own rows: which are odd and where, and their empty cells filled.
import { h, titleOf, get, post, send, runPath, busy, dropZone, save, tabs, turns, whole, percent } from '/static/dom.js';
import { csv, grid } from './grid.js';

const EXAMPLE = 5, // drawn rows as an example
  LARGEST = 25_000_000; // bytes that the studio takes

/** A p-value in words. */
const chance = (p) => `At most 1 in ${whole(1 / p)} usual rows is this odd.`;

export async function page(place, name) {
  const run = await get(runPath(name)),
    model = await get(runPath(name, '/model')),
    turn = turns();
  const kinds = new Map(model.columns.map((column) => [column.name, column.kind])),
    path = (rest) => runPath(name, rest);
  const text = h('textarea', {
    id: 'own',
    spellcheck: 'false',
    autocomplete: 'off',
    'aria-describedby': 'own-wrong',
    placeholder: 'The first line must hold the column names, and each line below it is a row.',
    input: () => {
      file = null;
    },
  });
  const wrong = h('p.error', { id: 'own-wrong', role: 'alert', hidden: true }),
    alarm = h('input', { id: 'alarm', type: 'number', min: 0.001, max: 0.5, step: 'any', value: 0.05 }),
    times = h('input', { id: 'times', type: 'number', min: 1, max: model.fillings, step: 1, value: 3 }),
    result = h('section.card', { 'aria-live': 'polite', hidden: true });
  let file = null;

  const showError = (error) => {
    wrong.hidden = false;
    wrong.textContent = error.message;
  };
  /** Ask about the rows; `show` gets the answer. */
  async function ask(address, working, show) {
    const isNewest = turn();
    wrong.hidden = true;
    result.hidden = false;
    result.replaceChildren(h('p', { role: 'status' }, working));
    try {
      const body = file ?? new Blob([text.value]);
      const answer = await (await send(path(address), body, 'application/octet-stream')).json();
      if (!isNewest()) return;
      result.replaceChildren(...show(answer));
      result.querySelector('h2').focus({ preventScroll: true });
      result.scrollIntoView({ block: 'nearest' });
    } catch (error) {
      if (!isNewest()) return;
      result.hidden = true;
      showError(error);
    }
  }
  const more = (found, command) =>
    found.more
      ? h('p.note.level1', {}, `Only the first ${whole(model.given)} rows were examined. For a whole file: `, h('code', {}, command))
      : null;
  const isNumber = (found) => found.columns.map((column) => kinds.get(column) === 'number');

  function judged(found) {
    const { verdicts } = found,
      order = verdicts.map((_, i) => i),
      odd = order.filter((i) => verdicts[i].odd !== 'no').sort((i, j) => verdicts[j].rank - verdicts[i].rank);
    const sure = odd.filter((i) => verdicts[i].odd === 'yes').length;
    const mark = (i, j) => (verdicts[i].odd !== 'no' && verdicts[i].column === j ? { kind: 'odd' } : null);
    const note = (i) => {
      const { odd: isOdd, column, why, expected, p } = verdicts[i];
      if (isOdd === 'no') return '';
      const what = `${why}. Expected: ${expected === '' ? 'no value' : expected}. ${chance(p)}`;
      return [h('strong', {}, `${isOdd === 'yes' ? '' : 'Perhaps '}${found.columns[column] ?? ''}: `), what];
    };
    const table = grid('Your rows', found.columns, isNumber(found), mark, note);
    const shown = (which) => table.show(which.map((i) => found.rows[i]), which);
    const all = h('input', { type: 'checkbox', id: 'all', change: () => shown(all.checked ? order : odd) });
    shown(odd);
    const said = `${whole(sure)} of ${whole(verdicts.length)} rows are odd, ${whole(odd.length - sure)} may be.`;
    return [
      h('h2', { tabindex: -1 }, said),
      h(
        'p.soft',
        {},
        `At most ${percent(+alarm.value, 1)} of rows like those of the training are called odd. The marked cell is the oddest. Each row was compared with ${whole(found.compared)} held-out rows.`,
      ),
      more(found, `ganvas detect ${run.place} FILE --out odd.csv`),
      h('.row', {}, h('label', { for: 'all' }, all, 'Show all rows, in their original order')),
      odd.length ? null : h('p', {}, 'None of these rows is odd.'),
      table.element,
    ].filter(Boolean);
  }
  function filled(found) {
    const cells = new Map(found.filled.map((one) => [`${one.row},${one.column}`, one.values]));
    const distinct = (values) => [...new Set(values)].map((value) => value || 'no value').join(' | ');
    const mark = (i, j) => {
      const values = cells.get(`${i},${j}`);
      return values ? { kind: 'filled', text: distinct(values) } : null;
    };
    const table = grid('Your rows', found.columns, isNumber(found), mark);
    const order = found.rows.map((_, i) => i),
      gaps = order.filter((i) => found.rows[i].includes(null));
    const shown = (which) => table.show(which.map((i) => found.rows[i]), which);
    const all = h('input', { type: 'checkbox', id: 'all', change: () => shown(all.checked ? order : gaps) });
    shown(gaps);
    const whichOf = (value, i, j) => (value === null ? (cells.get(`${i},${j}`)?.[0] ?? null) : value);
    const keep = () => {
      const rows = found.rows.map((row, i) => row.map((value, j) => whichOf(value, i, j)));
      const url = URL.createObjectURL(new Blob([csv(found.columns, rows)], { type: 'text/csv' }));
      save(url, 'filled.csv');
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    };
    const left = found.left.length ? ` Left empty because they are not learned: ${found.left.join(', ')}.` : '';
    return [
      h('h2', { tabindex: -1 }, `${whole(found.filled.length)} empty cells filled`),
      h('p.soft', {}, `Likely values given the rest of the row, drawn ${times.value} times.${left}`),
      more(found, `ganvas restore ${run.place} FILE --times ${times.value}`),
      h(
        '.row',
        {},
        h('button', { id: 'keep', click: keep }, 'Download the first filling (CSV)'),
        h('label', { for: 'all' }, all, 'Show all rows'),
      ),
      gaps.length ? null : h('p', {}, 'None of these rows has an empty cell.'),
      table.element,
    ].filter(Boolean);
  }
  const button = (kind, id, label, work) => {
    const element = h(kind, { id, click: () => busy(element, work) }, label);
    return element;
  };
  async function example() {
    const found = await post(path('/rows'), { count: EXAMPLE, seed: Math.floor(Math.random() * 1e9), where: '' });
    file = null;
    text.value = csv(found.columns, found.rows);
    text.focus();
  }
  const judge = button('button.main', 'judge', 'Which are odd?', () =>
    ask(`/odd?alarm=${encodeURIComponent(alarm.value)}`, 'Comparing each cell with the others …', judged),
  );
  const fill = button('button', 'fill', 'Fill the empty cells', () =>
    ask(`/fill?times=${encodeURIComponent(times.value)}`, 'Filling …', filled),
  );
  async function take(given) {
    wrong.hidden = true;
    if (given.size > LARGEST) {
      showError(new Error('At most 25 MB can be used here; for larger files use ganvas detect and ganvas restore.'));
      return;
    }
    text.value = given.size < 200_000 ? await given.text() : `(${given.name}, ${whole(given.size)} bytes)`;
    file = given;
  }
  place.append(
    h('h1', {}, titleOf(name)),
    tabs(name, run, 'Judge and fill rows'),
    h(
      'section.card',
      {},
      h('h2', {}, 'Your rows'),
      h(
        'p.soft',
        {},
        `Paste CSV with the columns of ${run.data}, type rows, or choose a file. Up to ${whole(model.given)} rows are examined; they stay on this machine.`,
      ),
      h('label', { for: 'own', class: 'soft' }, 'Rows as CSV'),
      text,
      wrong,
      h('.row', {}, button('button', 'example', 'Insert some drawn rows to edit', example)),
      dropZone('Drop a CSV file here, or choose one.', take, '.csv,.tsv,.txt,text/csv'),
      h(
        '.row',
        {},
        model.no_detector ? null : judge,
        model.no_detector ? null : h('label', { for: 'alarm' }, 'Share of usual rows that may be called odd', alarm),
      ),
      model.no_detector ? h('p.soft', {}, `It cannot say which rows are odd. ${model.no_detector}`) : null,
      h('.row', {}, fill, h('label', { for: 'times' }, 'How many times', times)),
    ),
    result,
  );
}
