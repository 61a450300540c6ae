// The address after # says which page is shown. Each page is a function that fills `place` and may return what ends it.
import { h, get, at, say } from './dom.js';

const main = document.getElementById('main');
const PAGES = [
  [/^$/, 'runs', 'runs', 'Runs'],
  [/^new$/, 'new', 'newTraining', 'New training'],
  [/^compare\/([^/]+)$/, 'compare', 'compare', 'Compare'],
  [/^run\/([^/]+)$/, 'run', 'training', 'Contest'],
  [/^run\/([^/]+)\/([\w-]+)$/, '', 'page', 'Run'], // of the run's task, which says where its script is
  [/^mend(?:\/([^/]+))?$/, 'apply', 'apply', 'Mend'],
  [/^data$/, 'data', 'data', 'Data'],
];
const SLOW = 150; // milliseconds before a page that is on its way says so
let end = null,
  shown = 0;

/** What the address asks for: the page, its argument, and what stands after a question mark. */
function wanted() {
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
          own: match[2],
          query: new URLSearchParams(query ?? ''),
        };
    }
  } catch {
    // no address at all
  }
  return null;
}

/** Put something on the page, and tell a screen reader where it is now. */
function put(focus, ...content) {
  main.replaceChildren(...content);
  main.setAttribute('aria-busy', 'false');
  const title = main.querySelector('h1');
  title.tabIndex = -1;
  if (focus) title.focus({ preventScroll: true });
}

/** A page that a run's task brings; the queue where the run has not begun; null where there is none. */
async function ownPage(run, address) {
  const { begun, part } = await get(at(run));
  if (!begun) return { script: './queued.js', name: 'queued', title: 'Contest' };
  const page = part.pages.find((one) => one.address === address);
  return page ? { ...page, name: 'page' } : null;
}

function showNone(focus) {
  put(focus, h('h1', {}, 'There is no such page'), h('p', {}, h('a', { href: '#/' }, 'All runs')));
}

async function show(focus = true) {
  const mine = (shown += 1),
    found = wanted();
  end?.();
  end = null;
  main.setAttribute('aria-busy', 'true');
  const section = found && (['mend', 'data', 'new'].includes(found.section) ? found.section : '');
  document.querySelectorAll('#nav a').forEach((link) => {
    if (link.hash.replace(/^#\/?/, '') === section) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  });
  if (!found) {
    showNone(focus);
    return;
  }
  let { title } = found.page;
  const named = () => {
    document.title = `${found.argument ? `${found.argument} · ` : ''}${title} · Ganvas Studio`;
  };
  named();
  const slow = setTimeout(() => main.replaceChildren(h('h1', {}, title), h('p.soft', {}, 'Loading …')), SLOW);
  try {
    const page = found.page.script ? found.page : await ownPage(found.argument, found.own);
    if (mine !== shown) return;
    if (!page) {
      showNone(focus);
      return;
    }
    ({ title } = page);
    named();
    const module = await import(page.script).catch(() => {
      throw new Error('The studio does not answer. Is it still running?');
    });
    const place = h('div.page');
    const stop = await module[page.name](place, found.argument, found.query);
    if (mine !== shown) {
      stop?.();
      return;
    }
    end = stop ?? null;
    document.body.dataset.page = page.name;
    put(focus, place);
  } catch (error) {
    if (mine !== shown) return;
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
  event.preventDefault(); // its address would be taken for a page's
  main.focus();
});
for (const kind of ['dragover', 'drop']) addEventListener(kind, (event) => event.preventDefault()); // else it is opened
show(false);
