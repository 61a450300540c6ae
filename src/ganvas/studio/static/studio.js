// The address after # says which page is shown. Each page is a function that fills `main` and may return what ends it.
import { h, say } from './kit.js';

const main = document.getElementById('main');
const PAGES = [
  [/^$/, 'runs.js', 'runs', 'Runs'],
  [/^new(?:\?(.*))?$/, 'runs.js', 'fresh', 'New training'],
  [/^compare\/([\w.,-]+)$/, 'live.js', 'compare', 'Compare'],
  [/^run\/([\w.-]+)$/, 'live.js', 'contest', 'Contest'],
  [/^run\/([\w.-]+)\/forger$/, 'forger.js', 'forger', 'Forger'],
  [/^run\/([\w.-]+)\/expert$/, 'expert.js', 'expert', 'Expert'],
  [/^run\/([\w.-]+)\/game$/, 'expert.js', 'game', 'You against the machine'],
  [/^mend(?:\/([\w.-]+))?$/, 'tools.js', 'mend', 'Mend'],
  [/^data(?:\?(.*))?$/, 'tools.js', 'data', 'Data'],
];
let end = null, shown = 0;

async function show() {
  const address = decodeURIComponent(location.hash.replace(/^#\/?/, '')), mine = (shown += 1);
  const found = PAGES.map(([pattern, ...page]) => [address.match(pattern), ...page]).find(([match]) => match);
  end?.();
  end = null;
  document.querySelectorAll('#nav a').forEach((link) => {
    const own = link.hash.replace(/^#\/?/, ''), here = own ? address.startsWith(own) : !found || /^(run|compare|$)/.test(address);
    if (here) link.setAttribute('aria-current', 'page'); else link.removeAttribute('aria-current');
  });
  if (!found) {
    main.replaceChildren(h('h1', {}, 'There is no such page'), h('p', {}, h('a', { href: '#/' }, 'All runs')));
    return;
  }
  const [match, file, name, title] = found;
  document.title = `${match[1] ? `${match[1]} · ` : ''}${title} · Ganvas Studio`;
  try {
    const module = await import(`./${file}`), place = h('div');
    const stop = await module[name](place, match[1]);
    if (mine !== shown) { stop?.(); return; }
    end = stop ?? null;
    main.replaceChildren(place);
    document.body.dataset.page = name;
  } catch (error) {
    if (mine !== shown) return;
    main.replaceChildren(h('h1', {}, title), h('p.error', { role: 'alert' }, error.message), h('p', {}, h('a', { href: '#/' }, 'All runs')));
    say(error.message);
  }
}

addEventListener('hashchange', () => { main.focus({ preventScroll: true }); scrollTo(0, 0); show(); });
show();
