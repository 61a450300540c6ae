// What `ganvas data check` says about a table, with the kinds of its columns to set.
import { h, table, whole, percent } from '/static/dom.js';

const KINDS = ['number', 'category', 'date', 'id', 'text', 'constant', 'skip'],
  SHOWN = 300, // columns
  LONG = 60; // characters of examples
const TEXTS = {
  id: 'id (newly made)',
  text: 'free text (left empty)',
  skip: 'skip (left out)',
};

/** An error for the page: what the command line names by an option is a setting here. */
export const sentence = (text) => text.replace('with --table NAME', 'in the setting "table", under "Details"');

/**
 * The result as elements; what was read of `path`.
 * @param kinds settings column.NAME that are set here, if they can be; `changed()` is called when one is
 */
export function report(checked, path, kinds = null, changed = () => {}) {
  const count = checked.rows;
  const choice = (column) => {
    const key = `column.${column.name}`,
      found = kinds.get(key) ?? column.kind;
    const pick = h(
      'select',
      {
        'aria-label': `Kind of ${column.name}`,
        change: () => {
          if (pick.value === column.kind) kinds.delete(key);
          else kinds.set(key, pick.value);
          changed();
        },
      },
      KINDS.map((kind) => h('option', { value: kind, selected: kind === found }, TEXTS[kind] ?? kind)),
    );
    return pick;
  };
  const missing = ({ missing: n }) => (n ? percent(n / Math.max(1, count), 1) : '');
  const examples = (column) => {
    const text = column.examples.join(', ');
    return text.length > LONG ? `${text.slice(0, LONG - 1)}…` : text;
  };
  const rows = checked.columns
    .slice(0, SHOWN)
    .map((column) => [
      column.name,
      [kinds ? choice(column) : (TEXTS[column.kind] ?? column.kind), column.doubt ? h('span.far', {}, ' ?') : ''],
      missing(column),
      whole(column.distinct),
      column.doubt ? [examples(column), h('span.more', {}, column.doubt)] : examples(column),
    ])
    .map((cells) => cells.map((cell) => h('span', {}, cell)));
  const doubtful = checked.columns.filter((column) => column.doubt).length;
  const list = (title, texts) =>
    texts.length ? [h('h3', {}, title), h('ul.remarks', {}, texts.map((text) => h('li', {}, text)))] : null;
  const href = `#/new?recipe=${encodeURIComponent(checked.recipe)}&data=${encodeURIComponent(path)}`;
  const more = checked.columns.length - rows.length;
  const body = [
    h('h2', { tabindex: -1 }, `${path}: ${whole(count)} rows, ${whole(checked.columns.length)} columns`),
    kinds ? null : h('.row', {}, h('a.button.main', { href }, 'Train on it')),
    doubtful
      ? h('p.note.level1', {}, `${whole(doubtful)} of the column kinds ${doubtful > 1 ? 'are guesses' : 'is a guess'}, marked with a question mark. ${kinds ? 'Correct those that are wrong.' : 'You can set them before a training.'}`)
      : null,
    h('.kinds', {}, table('Columns', ['Column', 'Kind', 'Missing', 'Distinct', 'Examples'], rows, true)),
    more > 0 ? h('p.soft', {}, `${whole(more)} more columns are not shown: ganvas data check shows all.`) : null,
    list('Rules that hold in every row, and are kept in drawn ones', (checked.rules ?? []).map((rule) => rule.words)),
    list('Rules that hold in nearly every row, and are not kept', checked.nearly ?? []),
    list('Notes', checked.notes),
  ];
  const shown = body.flat(3).filter(Boolean);
  return kinds ? shown : [h('section.card', {}, shown)];
}
