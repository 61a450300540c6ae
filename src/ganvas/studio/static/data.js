// Folders of pictures or sounds, and tables: browse and check them, and train on them.
import { h, get, post, whole, duration, busy, table, turns } from './dom.js';

const link = (path) => `#/data?path=${encodeURIComponent(path)}`;
const nameOf = (path) => (path === '.' ? 'This folder' : path.replace(/^upload:/, ''));

/** The result of a check as elements; `path` is what was checked. */
async function report(checked, path) {
  if (checked.script) return (await import(checked.script)).report(checked, path);
  const f = checked.forecast;
  const time = f.images_per_second
    ? `${duration(f.images / f.images_per_second)} for ${whole(f.images)} images with the recipe ${f.recipe}`
    : f.note;
  const found = h('section.card'),
    train = h('section.card');
  /** What was found with one purpose in mind, and the way to a training. */
  function show(name) {
    const one = checked.purposes[name];
    const pick = ([key, { enough, title, words }]) =>
      h('button', { 'aria-pressed': key === name, click: () => show(key) }, title ?? words, enough ? '' : h('small', {}, ' too few'));
    const notes = one.findings.map(({ level, text, todo }) =>
      h(`.note.level${level}`, {}, h('strong', {}, text), todo ? h('div', {}, todo) : null),
    );
    found.replaceChildren(
      h('h2', { tabindex: -1 }, `${nameOf(path)}: ${whole(checked.total)} pictures`),
      h('p.soft', {}, 'What do you want to do with them?'),
      h('.purposes', { role: 'group', 'aria-label': 'Purpose' }, Object.entries(checked.purposes).map(pick)),
      ...(notes.length ? notes : [h('p.note.level2', {}, 'No problems found.')]),
    );
    const aim = one.goal ? `goal=${one.goal}` : `recipe=${encodeURIComponent(one.recipe)}`;
    const button = h('a.button.main', { href: `#/new?${aim}&data=${encodeURIComponent(path)}` }, 'Train on them');
    const length =
      name === checked.purpose
        ? `They would be used at ${f.size}x${f.size} pixels${f.classes ? `, in ${f.classes} classes` : ''}. Forecast: ${time}.`
        : 'The next page measures how long it takes.';
    train.replaceChildren(
      h('h2', {}, 'Training'),
      h('p', {}, `${one.enough ? '' : 'There are too few for a good result. '}${length}`),
      h('.row', {}, button),
    );
    if (found.isConnected) found.querySelector('[aria-pressed=true]').focus();
  }
  show(checked.purpose);
  const sheet = { src: checked.sheet, alt: 'Rows of pictures cropped to the centre square; below each row, the same pictures padded' };
  return [
    h('.grid.wide', {}, found, train),
    checked.sheet ? h('section.card', {}, h('h2', {}, 'Cropped to the centre square (above) and padded (below)'), h('img.sheet.smooth', sheet)) : '',
  ];
}

/** What is in a folder, besides its sub-folders. */
function here({ pictures, sounds, entries }) {
  const files = entries.filter(({ folder }) => !folder).length;
  const parts = [
    pictures ? `${whole(pictures)} ${pictures > 1 ? 'pictures' : 'picture'}` : '',
    sounds ? `${whole(sounds)} sound${sounds > 1 ? 's' : ''}` : '',
    files ? `${whole(files)} ${files > 1 ? 'tables or archives' : 'table or archive'}` : '',
  ].filter(Boolean);
  return parts.length ? `Here: ${parts.join(', ')}.` : 'There are no pictures, sounds or tables here.';
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
      h('.card', {}, h('p', { role: 'status' }, 'Checking everything; large folders and tables take a while ...')),
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
    const name = path === '.' ? 'this folder' : path.replace(/^upload:/, '');
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
  const { uploads, prefix, folder: home } = folderPath ? { uploads: [] } : await get('/api/uploads');
  const sent = uploads.map(({ name }) => [`${name} (uploaded)`, checkButton(`${prefix}${name}`)]);
  const sets = listing.sets.map((name) => [`${name} (comes with Ganvas)`, checkButton(name)]);
  const lines = [...rows, ...sent, ...sets];
  place.append(
    h('h1', {}, 'Data'),
    h('p.soft', {}, `Folders, archives and tables in ${listing.root}/. A check changes nothing.`),
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
      lines.length ? table('Folders, archives and tables', ['Name', 'Check'], lines) : null,
      sent.length ? h('p.soft.new-where', {}, `Uploads are in ${home}; you can remove them on the page New training.`) : null,
      listing.more ? h('p.soft', {}, `${whole(listing.more)} more are not shown.`) : null,
    ),
    result,
  );
}
