// The address after # says which page is shown. Each page is a function that fills `place` and may return a function
// that ends it.
import { h, get, runPath, say, titleOf } from './dom.js';

const main = document.getElementById('main');
const PAGES = [
  [/^$/, 'runs', 'runs', 'Runs'],
  [/^new$/, 'new', 'newTraining', 'New training'],
  [/^compare\/([^/]+)$/, 'compare', 'compare', 'Compare'],
  [/^run\/([^/]+)$/, 'run', 'training', 'Training'],
  [/^run\/([^/]+)\/([\w-]+)$/, '', 'page', 'Run'], // a page of the run's task, which names its script
  [/^restore(?:\/([^/]+))?$/, 'restore', 'restore', 'Restore'],
  [/^data$/, 'data', 'data', 'Data'],
  [/^how$/, 'toy/page', 'toy', 'How a GAN learns'],
];
const SLOW = 150; // milliseconds before a page shows that it is loading
let end = null,
  shown = 0;

/** The page that the address names, its argument, and its query; null where there is no such page. */
function parseAddress() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  try {
    const address = decodeURIComponent(path);
    for (const [pattern, file, name, title] of PAGES) {
      const match = address.match(pattern);
      if (match)
        return {
          section: address.split('/')[0],
          page: { script: file && `./${file}.js`, name, title },
          argument: match[1],
          subpage: match[2],
          query: new URLSearchParams(query ?? ''),
        };
    }
  } catch {
    // not a valid address
  }
  return null;
}

/** Show something on the page, and move the focus to its title for screen readers. */
function put(focus, ...content) {
  main.replaceChildren(...content);
  main.setAttribute('aria-busy', 'false');
  const title = main.querySelector('h1');
  title.tabIndex = -1;
  if (focus) title.focus({ preventScroll: true });
}

/** A page of a run's task; the queue where the run has not begun; null where there is none. */
async function taskPage(run, address) {
  const { begun, part } = await get(runPath(run));
  if (!begun) return { script: './queued.js', name: 'queued', title: 'Training' };
  const page = part.pages.find((one) => one.address === address);
  return page ? { ...page, name: 'page' } : null;
}

function showNone(focus) {
  put(focus, h('h1', {}, 'There is no such page'), h('p', {}, h('a', { href: '#/' }, 'All runs')));
}

async function show(focus = true) {
  if (/^#\/mend(\/|$)/.test(location.hash)) {
    location.replace(location.hash.replace('mend', 'restore')); // the page's old address
    return;
  }
  const number = (shown += 1),
    target = parseAddress();
  end?.();
  end = null;
  main.setAttribute('aria-busy', 'true');
  const section = target && (['restore', 'data', 'new', 'how'].includes(target.section) ? target.section : '');
  document.querySelectorAll('#nav a').forEach((link) => {
    if (link.hash.replace(/^#\/?/, '') === section) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  });
  if (!target) {
    showNone(focus);
    return;
  }
  let { title } = target.page;
  const setTitle = () => {
    document.title = `${target.argument ? `${titleOf(target.argument)} · ` : ''}${title} · Ganvas Studio`;
  };
  setTitle();
  const slow = setTimeout(() => main.replaceChildren(h('h1', {}, title), h('p.soft', {}, 'Loading …')), SLOW);
  try {
    const page = target.page.script ? target.page : await taskPage(target.argument, target.subpage);
    if (number !== shown) return;
    if (!page) {
      showNone(focus);
      return;
    }
    ({ title } = page);
    setTitle();
    const module = await import(page.script).catch(() => {
      throw new Error('The studio is not responding. Is it still running?');
    });
    const place = h('div.page');
    const stop = await module[page.name](place, target.argument, target.query);
    if (number !== shown) {
      stop?.();
      return;
    }
    end = stop ?? null;
    document.body.dataset.page = page.name;
    put(focus, place);
  } catch (error) {
    if (number !== shown) return;
    const again = h('button.main', { click: () => show() }, 'Try again');
    const what = h('p.error', { role: 'alert' }, error.message);
    put(focus, h('h1', {}, title), what, h('.row', {}, again, h('a', { href: '#/' }, 'All runs')));
    say(error.message);
  } finally {
    clearTimeout(slow);
  }
}

addEventListener('hashchange', () => {
  scrollTo(0, 0);
  show();
});
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault(); // its address would be read as a page's
  main.focus();
});
get('/api/visitor').then(
  ({ view }) => document.body.classList.toggle('viewer', view), // who sees no buttons that the studio would refuse
  () => {},
);
for (const kind of ['dragover', 'drop']) addEventListener(kind, (event) => event.preventDefault()); // else it is opened
show(false);
