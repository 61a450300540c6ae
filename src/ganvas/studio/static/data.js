// Folders of pictures or sounds, and tables: browse and check them, and train on them.
import { h, get, post, whole, duration, busy, table, turns } from './dom.js';

const RECIPES = ['images', 'few', 'denoise', 'superres'];
const link = (path) => `#/data?path=${encodeURIComponent(path)}`;

/** The result of a check as elements; `path` is what was checked. */
async function report(checked, path) {
  if (checked.script) return (await import(checked.script)).report(checked, path);
  const f = checked.forecast;
  const time = f.images_per_second
    ? `${duration(f.images / f.images_per_second)} for ${whole(f.images)} images with the recipe ${f.recipe}`
    : f.note;
  const notes = checked.findings.map((one) =>
    h(`.note.level${one.level}`, {}, h('strong', {}, one.text), one.todo ? h('div', {}, one.todo) : null),
  );
  const recipes = RECIPES.includes(f.recipe) ? RECIPES : [f.recipe, ...RECIPES];
  const train = recipes.map((recipe) =>
    h(
      `a.button${recipe === f.recipe ? '.main' : ''}`,
      { href: `#/new?recipe=${recipe}&data=${encodeURIComponent(path)}` },
      recipe,
    ),
  );
  const sheet = { src: checked.sheet, alt: 'Rows of pictures cut to their middle; below each row the same padded' };
  return [
    h(
      '.grid.wide',
      {},
      h(
        'section.card',
        {},
        h('h2', { tabindex: -1 }, `${path === '.' ? 'This folder' : path}: ${whole(checked.total)} pictures`),
        notes.length ? notes : h('p.note.level2', {}, 'Nothing is wrong with them.'),
      ),
      h(
        'section.card',
        {},
        h('h2', {}, 'Train on them'),
        h(
          'p',
          {},
          `They would be ${f.size}x${f.size} pixels${f.classes ? `, in ${f.classes} classes` : ''}. Forecast: ${time}.`,
        ),
        h('.row', {}, train),
      ),
    ),
    checked.sheet
      ? h('section.card', {}, h('h2', {}, 'Cut to the middle, and padded below'), h('img.sheet.smooth', sheet))
      : '',
  ];
}

/** What lies in a folder, beside its sub-folders. */
function here({ pictures, sounds, entries }) {
  const files = entries.filter(({ folder }) => !folder).length;
  const parts = [
    pictures ? `${whole(pictures)} ${pictures > 1 ? 'pictures' : 'picture'}` : '',
    sounds ? `${whole(sounds)} sound${sounds > 1 ? 's' : ''}` : '',
    files ? `${whole(files)} ${files > 1 ? 'tables or archives' : 'table or archive'}` : '',
  ].filter(Boolean);
  return parts.length ? `Here: ${parts.join(', ')}.` : 'No pictures, sounds or tables lie here.';
}

export async function data(place, _, query) {
  const listing = await get(`/api/data?path=${encodeURIComponent(query.get('path') ?? '')}`);
  const folderPath = listing.path,
    up = folderPath.split('/').slice(0, -1).join('/'),
    turn = turns();
  const result = h('.stack', { 'aria-live': 'polite' });
  async function check(path) {
    const isNewest = turn();
    result.replaceChildren(
      h('.card', {}, h('p', { role: 'status' }, 'Everything is looked at; large folders and tables take a while …')),
    );
    result.scrollIntoView({ block: 'nearest' });
    try {
      const checked = await post('/api/data/check', { path });
      if (!isNewest()) return;
      const shown = await report(checked, path);
      if (!isNewest()) return;
      result.replaceChildren(...shown);
      result.querySelector('h2').focus({ preventScroll: true });
      result.scrollIntoView({ block: 'start' });
    } catch (error) {
      if (isNewest()) result.replaceChildren(h('p.error', { role: 'alert' }, error.message));
    }
  }
  const checkButton = (path) => {
    const name = path === '.' ? 'this folder' : path;
    const button = h(
      'button',
      { 'aria-label': `Check ${name}`, click: () => busy(button, () => check(path)) },
      'Check',
    );
    return button;
  };
  const rows = listing.entries.map(({ name, folder }) => {
    const path = folderPath ? `${folderPath}/${name}` : name;
    return [folder ? h('a.place', { href: link(path) }, `${name}/`) : name, checkButton(path)];
  });
  const sets = listing.sets.map((name) => [`${name} (comes with Ganvas)`, checkButton(name)]);
  place.append(
    h('h1', {}, 'Data'),
    h('p.soft', {}, `Folders, archives and tables below ${listing.root}/. Nothing in them is changed.`),
    h(
      'section.card',
      {},
      h('h2', {}, folderPath || listing.root),
      h(
        '.row',
        {},
        folderPath ? h('a.place', { href: link(up) }, '← up') : null,
        h('span', {}, here(listing)),
        checkButton(folderPath || '.'),
      ),
      table('Folders, archives and tables', ['Name', 'Look'], [...rows, ...sets]),
      listing.more ? h('p.soft', {}, `${whole(listing.more)} more are not shown.`) : null,
    ),
    result,
  );
}
