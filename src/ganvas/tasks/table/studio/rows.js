// Rows from the generator: a grid, conditions, files.
import { h, titleOf, get, post, send, runPath, busy, save, tabs, turns, whole, say } from '/static/dom.js';
import { grid } from './grid.js';

const COUNT = 100, // rows at first
  SIGNS = [
    ['=', 'is'],
    ['<', 'below'],
    ['<=', 'at most'],
    ['>', 'above'],
    ['>=', 'at least'],
    ['empty', 'is missing'],
  ];

/** A name or value as written in a condition. */
const quoted = (text) => (/[",|<>=!]|^\s|\s$|^$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
/** A word as written on a shell's command line. */
const word = (text) => (/^[\w./=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** One condition: column, sign, value. */
function condition(columns, number, changed, remove) {
  const id = `value${number}`,
    list = h('datalist', { id: `${id}-list` }),
    wrong = h('p.error', { role: 'alert', hidden: true });
  const name = h(
    'select',
    { 'aria-label': 'Column', change: () => choose() },
    columns.map((column) => h('option', {}, column.name)),
  );
  const sign = h('select', { 'aria-label': 'Sign', change: () => hide() });
  const value = h('input', {
    id,
    'aria-label': 'Value',
    list: list.id,
    autocomplete: 'off',
    maxlength: 500,
    class: 'grow',
    input: () => changed(),
  });
  const out = h('button', { 'aria-label': 'Remove this condition', click: () => remove() }, '×');
  const column = () => columns[name.selectedIndex];
  function hide() {
    value.hidden = sign.value === 'empty';
    changed();
  }
  function choose() {
    const { values, ends, ordered, missing } = column();
    const fits = SIGNS.filter(([mark]) => mark === '=' || (mark === 'empty' ? missing : ordered));
    sign.replaceChildren(...fits.map(([mark, text]) => h('option', { value: mark }, text)));
    list.replaceChildren(...(values ?? ends ?? []).map((text) => h('option', { value: text })));
    value.value = values?.[0] ?? '';
    value.placeholder = ends ? `${ends[0]} to ${ends[1]}` : 'a value';
    if (ends && ordered) sign.value = '>=';
    hide();
  }
  choose();
  return {
    element: h('div', {}, h('.row', {}, name, sign, value, list, out), wrong),
    text() {
      if (sign.value === 'empty') return `${quoted(column().name)}=`;
      return value.value.trim() ? `${quoted(column().name)}${sign.value}${quoted(value.value.trim())}` : '';
    },
    /** Show an error that speaks of this condition's column; returns whether it does. */
    blame(text) {
      wrong.hidden = !text.includes(column().name);
      wrong.textContent = wrong.hidden ? '' : text;
      return !wrong.hidden;
    },
    forget() {
      wrong.hidden = true;
    },
  };
}

export async function page(place, name) {
  const run = await get(runPath(name)),
    model = await get(runPath(name, '/model')),
    turn = turns();
  const learned = model.columns.filter((column) => column.learned),
    kinds = new Map(model.columns.map((column) => [column.name, column.kind]));
  const number = (id, value, more) => h('input', { id, type: 'number', min: 0, step: 1, value, ...more });
  const count = number('count', Math.min(COUNT, model.grid), { min: 1, input: () => told() }),
    seed = number('seed', 0, { input: () => told() });
  const where = h('input', {
    id: 'where',
    class: 'grow',
    autocomplete: 'off',
    maxlength: 4000,
    placeholder: model.example ? `such as ${model.example}` : '',
    'aria-describedby': 'where-wrong',
    input: () => told(),
  });
  const wrong = h('p.error', { id: 'where-wrong', role: 'alert', hidden: true }),
    status = h('p.soft', { 'aria-live': 'polite' }),
    command = h('code'),
    list = h('.stack'),
    shown = h('div');
  let conditions = [],
    made = 0;

  const request = () => ({
    count: Math.max(1, Math.round(+count.value) || 1),
    seed: Math.max(0, Math.round(+seed.value) || 0),
    where: where.value,
  });
  /** The same on the command line. */
  function told() {
    const asked = request();
    const parts = ['ganvas', 'sample', word(run.place), '--count', asked.count, '--seed', asked.seed];
    if (asked.where.trim()) parts.push('--where', word(asked.where));
    command.textContent = [...parts, '--out', 'rows.csv'].join(' ');
  }
  const write = () => {
    where.value = conditions
      .map((one) => one.text())
      .filter(Boolean)
      .join(',');
    told();
  };
  function add() {
    made += 1;
    const one = condition(learned, made, write, () => {
      conditions = conditions.filter((other) => other !== one);
      one.element.remove();
      write();
    });
    conditions.push(one);
    list.append(one.element);
    write();
  }
  function showError(error) {
    const blamed = conditions.filter((one) => one.blame(error.message)).length;
    wrong.hidden = blamed > 0;
    wrong.textContent = error.message;
  }
  async function draw() {
    const isNewest = turn(),
      began = performance.now();
    wrong.hidden = true;
    conditions.forEach((one) => one.forget());
    status.textContent = 'Drawing …';
    try {
      const found = await post(runPath(name, '/rows'), request());
      if (!isNewest()) return;
      const isNumber = found.columns.map((column) => kinds.get(column) === 'number');
      const made = grid('Drawn rows', found.columns, isNumber);
      made.show(found.rows);
      shown.replaceChildren(made.element);
      status.textContent = `${whole(found.rows.length)} rows in ${((performance.now() - began) / 1000).toFixed(1)} s. A dot is a missing cell.`;
    } catch (error) {
      if (!isNewest()) return;
      status.textContent = shown.firstChild ? 'These are still the previous rows.' : '';
      showError(error);
    }
  }
  async function keep(form) {
    wrong.hidden = true;
    try {
      const answer = await send(runPath(name, '/rows/file'), { ...request(), form });
      const url = URL.createObjectURL(await answer.blob());
      save(url, `${name.replace('~', '-')}.${form}`);
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
      say(`${name.replace('~', '-')}.${form} is in your downloads.`);
    } catch (error) {
      showError(error);
    }
  }
  const button = (text, work, kind = 'button', id = null) => {
    const element = h(kind, { id, click: () => busy(element, work) }, text);
    return element;
  };
  const go = button('Draw', draw, 'button.main', 'draw');
  for (const field of [where, count, seed])
    field.addEventListener('keydown', (event) => event.key === 'Enter' && go.click());
  const rules = model.rules.length
    ? h(
        'details',
        {},
        h('summary', {}, `Rules that hold in every drawn row (${model.rules.length})`),
        h('ul.remarks', {}, model.rules.map((text) => h('li', {}, text))),
      )
    : null;
  const columns = h(
    'details',
    {},
    h('summary', {}, `The columns (${model.columns.length})`),
    h('ul.remarks', {}, model.columns.map((one) => h('li', {}, h('strong', {}, one.name), `: ${one.words}`))),
  );
  place.append(
    h('h1', {}, titleOf(name)),
    tabs(name, run, 'Draw rows'),
    h(
      'section.card',
      {},
      h('h2', {}, 'What to draw'),
      h(
        '.row',
        {},
        h('label', { for: 'count' }, 'Rows', count),
        h('label', { for: 'seed' }, 'Seed', seed),
        h('span.soft', {}, `Up to ${whole(model.grid)} here. The same seed gives the same rows again.`),
      ),
      h('h3', {}, 'Conditions that every row must meet'),
      list,
      h('.row', {}, button('Add a condition', add, 'button', 'add')),
      h('.row', {}, h('label.grow', { for: 'where' }, 'As text', where)),
      wrong,
      h(
        '.row',
        {},
        go,
        button('CSV', () => keep('csv'), 'button', 'csv'),
        button('Parquet', () => keep('parquet'), 'button', 'parquet'),
        h('span.soft', {}, `Files have up to ${whole(model.file)} rows. For more, or for a database, run:`),
      ),
      h('p.command', {}, command),
      rules,
      columns,
    ),
    h('section.card', {}, h('h2', {}, 'Drawn rows'), status, shown),
  );
  told();
  await draw();
}
