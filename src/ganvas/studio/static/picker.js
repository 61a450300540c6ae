// Which data: files from the visitor's machine, uploads that are there, folders below the studio's, sets of Ganvas.
import { h, get, post, whole, turns } from './dom.js';
import { dropArea, upload } from './upload.js';

const WORDS = { mnist: '60,000 handwritten digits', 'stacked-mnist': 'three digits in three colours' };

const bytes = (n) => (n >= 1e9 ? `${(n / 1e9).toFixed(1)} GB` : n >= 1e6 ? `${Math.round(n / 1e6)} MB` : `${Math.max(1, Math.round(n / 1e3))} kB`);

/**
 * A picker for one set of data.
 * @param goal what the data are for
 * @param changed called when something else is chosen, or something is found of it
 * @param first the path that is chosen at the beginning
 * @param title the question
 */
export function picker(goal, title, changed, first = '') {
  const state = { path: first, found: null, error: null, busy: null };
  const rows = h('div.new-places', { role: 'group', 'aria-label': title }),
    status = h('div.new-status', { 'aria-live': 'polite' }),
    turn = turns();
  const isAlone = !goal.files.includes('.zip'), // one file, not an archive
    sends = isAlone ? 'a CSV or Parquet file' : `${goal.noun}, a folder or a zip`;
  let folder = '',
    ending = null;

  function tell(...content) {
    status.replaceChildren(...content);
  }
  function settle() {
    const { found, error } = state;
    if (error) tell(h('span.error', { role: 'alert' }, error.message));
    else if (found) {
      const count = found.count === null ? 'Chosen: ' : `${whole(found.count)} ${found.samples} in `;
      tell(h('strong', {}, `${count}${nameOf(state.path)}`), ...found.notes.map((note) => h('div.soft', {}, note)));
    } else tell();
    mark();
    changed();
  }
  /** Choose a place; what is there is looked at. */
  function choose(path, found = null) {
    ending?.abort();
    const isNewest = turn();
    Object.assign(state, { path, found, error: null, busy: null });
    if (found || !path) {
      settle();
      return;
    }
    tell(`Looking at ${nameOf(path)} ...`);
    mark();
    state.busy = post('/api/data/look', { path, task: goal.task })
      .then((answer) => {
        if (isNewest()) state.found = answer;
      })
      .catch((error) => {
        if (isNewest()) state.error = error;
      })
      .then(() => {
        if (!isNewest()) return;
        state.busy = null;
        settle();
      });
    changed();
  }
  async function sent(files) {
    ending?.abort();
    const isNewest = turn(),
      end = new AbortController(),
      bar = h('progress', { max: 1, value: 0, 'aria-label': 'Uploaded' });
    ending = end;
    Object.assign(state, { path: '', found: null, error: null });
    const cancel = h('button', { click: () => end.abort() }, 'Cancel');
    tell('Uploading ... ', bar, ' ', cancel);
    const work = (async () => {
      try {
        const found = await upload(await files, goal.task, (share) => bar.setAttribute('value', share), end.signal);
        if (!isNewest()) return;
        Object.assign(state, { path: found.path, found });
      } catch (error) {
        if (isNewest()) state.error = error;
      }
      if (!isNewest()) return;
      state.busy = null;
      settle();
      list();
    })();
    state.busy = work;
    changed();
    await work;
  }
  const mark = () => rows.querySelectorAll('[data-path]').forEach((button) => button.setAttribute('aria-pressed', button.dataset.path === state.path));
  const choice = (path, name, more) =>
    h('button.new-place', { 'data-path': path, 'aria-pressed': path === state.path, click: () => choose(path) }, h('span', {}, name), h('small', {}, more));
  function remove(name) {
    let sure = false;
    const button = h(
      'button',
      {
        'aria-label': `Remove ${name}`,
        blur: () => {
          sure = false;
          button.textContent = 'Remove';
        },
        click: async () => {
          if (!sure) {
            sure = true;
            button.textContent = 'Remove for good?';
            return;
          }
          try {
            await post('/api/uploads/delete', { name });
          } catch (error) {
            tell(h('span.error', { role: 'alert' }, error.message));
            return;
          }
          if (state.path === `upload:${name}`) choose('');
          list();
        },
      },
      'Remove',
    );
    return button;
  }
  /** The places that can be chosen. */
  async function list() {
    const [kept, listing] = await Promise.all([get('/api/uploads'), get(`/api/data?path=${encodeURIComponent(folder)}`)]);
    const uploads = kept.uploads
      .filter(({ name }) => isAlone !== name.endsWith('.zip'))
      .map(({ name, bytes: size }) => h('.new-line', {}, choice(`${kept.prefix}${name}`, name, `uploaded, ${bytes(size)}`), remove(name)));
    const go = (to) => () => {
      folder = to;
      list();
    };
    const up = folder.split('/').slice(0, -1).join('/');
    const lines = listing.entries.map(({ name, folder: isFolder }) => {
      const path = folder ? `${folder}/${name}` : name;
      const open = isFolder ? h('button', { 'aria-label': `Open ${name}`, click: go(path) }, 'Open') : null;
      return h('.new-line', {}, choice(path, isFolder ? `${name}/` : name, ''), open);
    });
    const inside = goal.files.includes('audio/*') ? listing.sounds : isAlone ? 0 : listing.pictures;
    const here = inside ? [h('.new-line', {}, choice(folder || '.', folder ? `all of ${folder}/` : `all of ${listing.root}/`, `${whole(inside)} files`))] : [];
    const sets = goal.files.includes('image/*') && !folder ? listing.sets.map((name) => h('.new-line', {}, choice(name, name, WORDS[name] ?? 'comes with Ganvas'))) : [];
    rows.replaceChildren(
      ...uploads,
      ...(folder ? [h('.new-line', {}, h('button', { click: go(up) }, '← up'), h('span.soft', {}, `${listing.root}/${folder}`))] : []),
      ...here,
      ...lines,
      ...sets,
    );
    where.textContent = uploads.length ? `Uploads are kept in ${kept.folder} until you remove them.` : '';
  }
  const where = h('p.soft.new-where', {});
  const drop = dropArea(`Drop ${sends} here`, goal.files, sent);
  const scroll = h('div.new-scroll', {}, rows);
  list().catch((error) => tell(h('span.error', { role: 'alert' }, error.message)));
  if (first) choose(first);
  return {
    state,
    choose,
    element: h('div.new-picker', {}, drop, status, h('p.soft.new-or', {}, 'or one of these'), scroll, where),
    stop: () => ending?.abort(),
  };
}

/** A place as it is called on pages. */
export const nameOf = (path) => (path === '.' ? 'this folder' : path.replace(/^upload:/, ''));
