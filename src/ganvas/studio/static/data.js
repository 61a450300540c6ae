// A folder of pictures: look at it, and train on it.
import { h, get, post, whole, duration, busy, table, turns } from './dom.js';

const RECIPES = ['images', 'few', 'denoise', 'superres'];
const link = (path) => `#/data?path=${encodeURIComponent(path)}`;

/** What the data doctor found. */
function report(found, what) {
  const f = found.forecast;
  const time = f.images_per_second
    ? `${duration(f.images / f.images_per_second)} for ${whole(f.images)} images with the recipe ${f.recipe}`
    : f.note;
  const notes = found.findings.map((one) =>
    h(`.note.level${one.level}`, {}, h('strong', {}, one.text), one.todo ? h('div', {}, one.todo) : null),
  );
  const recipes = RECIPES.includes(f.recipe) ? RECIPES : [f.recipe, ...RECIPES];
  const train = recipes.map((recipe) =>
    h(
      `a.button${recipe === f.recipe ? '.main' : ''}`,
      { href: `#/new?recipe=${recipe}&data=${encodeURIComponent(what)}` },
      recipe,
    ),
  );
  const sheet = { src: found.sheet, alt: 'Rows of pictures cut to their middle; below each row the same padded' };
  return [
    h(
      '.grid.wide',
      {},
      h(
        'section.card',
        {},
        h('h2', { tabindex: -1 }, `${what === '.' ? 'This folder' : what}: ${whole(found.total)} pictures`),
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
    found.sheet
      ? h('section.card', {}, h('h2', {}, 'Cut to the middle, and padded below'), h('img.sheet.smooth', sheet))
      : '',
  ];
}

export async function data(place, _, query) {
  const found = await get(`/api/data?path=${encodeURIComponent(query.get('path') ?? '')}`);
  const own = found.path,
    up = own.split('/').slice(0, -1).join('/'),
    turn = turns();
  const result = h('.stack', { 'aria-live': 'polite' });
  async function check(what) {
    const isNewest = turn();
    result.replaceChildren(
      h('.card', {}, h('p', { role: 'status' }, 'Every picture is looked at; large folders take a while …')),
    );
    result.scrollIntoView({ block: 'nearest' });
    try {
      const told = await post('/api/data/check', { path: what });
      if (!isNewest()) return;
      result.replaceChildren(...report(told, what));
      result.querySelector('h2').focus({ preventScroll: true });
      result.scrollIntoView({ block: 'start' });
    } catch (error) {
      if (isNewest()) result.replaceChildren(h('p.error', { role: 'alert' }, error.message));
    }
  }
  const look = (what) => {
    const name = what === '.' ? 'this folder' : what;
    const button = h(
      'button',
      { 'aria-label': `Check ${name}`, click: () => busy(button, () => check(what)) },
      'Check',
    );
    return button;
  };
  const rows = found.entries.map(({ name, folder }) => {
    const path = own ? `${own}/${name}` : name;
    return [folder ? h('a.place', { href: link(path) }, `${name}/`) : name, look(path)];
  });
  const sets = found.sets.map((name) => [`${name} (comes with Ganvas)`, look(name)]);
  place.append(
    h('h1', {}, 'Data'),
    h('p.soft', {}, `Folders and archives below ${found.root}/. Nothing in them is changed.`),
    h(
      'section.card',
      {},
      h('h2', {}, own || found.root),
      h(
        '.row',
        {},
        own ? h('a.place', { href: link(up) }, '← up') : null,
        h('span', {}, `${whole(found.pictures)} pictures lie here.`),
        look(own || '.'),
      ),
      table('Folders and archives', ['Name', 'Look'], [...rows, ...sets]),
      found.more ? h('p.soft', {}, `${whole(found.more)} more are not shown.`) : null,
    ),
    result,
  );
}
