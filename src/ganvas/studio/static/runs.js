// All runs.
import { h, get, post, at, short, percent, bestFigure, say, busy } from './dom.js';

const PAUSE = 2500; // milliseconds between two looks
const SHOWN = 60; // cards at first
const AWAY = 'ganvas-put-away'; // failures that this browser's user has read
export const WORDS = {
  running: 'training now',
  finished: 'finished',
  stopped: 'stopped',
  waiting: 'waits',
  begins: 'begins',
  failed: 'failed',
};

/** How a run stands, its newest job taken into account. */
export function standing(state, job) {
  if (state === 'running' || !job) return state;
  if (job.state === 'waiting') return 'waiting';
  if (job.state === 'running') return state === 'finished' ? state : 'begins';
  return job.state === 'failed' && state === 'stopped' ? 'failed' : state;
}

export async function runs(place) {
  const chosen = new Set(),
    cards = new Map();
  let found = null,
    before = '',
    jobsBefore = '',
    most = SHOWN,
    timer = 0,
    over = false;
  const list = h('ul.runs'),
    notes = h('div', { 'aria-live': 'polite' });
  const compare = h('a.button', { href: '#/' });
  const more = h('button', {
    click: () => {
      most += SHOWN;
      paint();
    },
  });
  const search = h('input', { id: 'search', type: 'search', autocomplete: 'off', input: () => paint() });
  const filter = h('label', { for: 'search', hidden: true }, 'Find', search);

  const mark = () => {
    const enough = chosen.size > 1;
    compare.href = enough ? `#/compare/${[...chosen].map(encodeURIComponent).join(',')}` : '#/';
    compare.setAttribute('aria-disabled', !enough);
    compare.textContent = enough ? `Compare ${chosen.size} runs` : 'Compare: mark two or three';
  };
  const choose = (box, name) => {
    if (!box.checked) chosen.delete(name);
    else if (chosen.size < 3) chosen.add(name);
    else {
      box.checked = false;
      say('Three runs fit side by side.');
    }
    mark();
  };

  /** Cards that have not changed stay as they are: with their focus, and with what is being pressed. */
  function paint() {
    const jobs = new Map(found.jobs.map((job) => [job.run, job]));
    const words = search.value.toLowerCase();
    const some = found.runs.filter((run) => `${run.name} ${run.recipe}`.toLowerCase().includes(words));
    const wanted = some.slice(0, most).map((run) => {
      const job = jobs.get(run.name),
        key = JSON.stringify([run, job]),
        known = cards.get(run.name);
      if (known?.key === key) return known.element;
      const element = known?.element ?? h('li');
      const focus = element.contains(document.activeElement) ? document.activeElement.id : '';
      element.replaceChildren(
        run.error ? unfit(run) : card(run, standing(run.state, job), chosen.has(run.name), choose, look),
      );
      if (focus) document.getElementById(focus)?.focus();
      cards.set(run.name, { key, element });
      return element;
    });
    if (!found.runs.length) wanted.push(empty());
    else if (!some.length) wanted.push(h('li', {}, h('p', {}, 'No run has such a name.')));
    if (wanted.length !== list.children.length || wanted.some((element, i) => element !== list.children[i]))
      list.replaceChildren(...wanted);
    filter.hidden = found.runs.length <= 8;
    more.hidden = some.length <= most;
    more.textContent = `Show more (${some.length - most} are left)`;
    const told = JSON.stringify(found.jobs);
    if (told !== jobsBefore)
      notes.replaceChildren(...found.jobs.map((job) => note(job, found.runs, look)).filter(Boolean));
    jobsBefore = told;
  }
  async function look() {
    found = await get('/api/runs');
    const text = JSON.stringify(found);
    if (text !== before && !over) paint();
    before = text;
  }
  const again = () => {
    if (over) return;
    timer = setTimeout(async () => {
      if (!document.hidden) await look().catch((error) => say(error.message));
      again();
    }, PAUSE);
  };

  mark();
  place.append(
    h('h1', {}, 'Runs'),
    h('p.soft', {}, 'Each card is a contest between a forger, who draws, and an expert, who tells real from forged.'),
    h('.row', {}, h('a.button.main', { href: '#/new' }, 'New training'), compare, filter),
    notes,
    list,
    h('.row', {}, more),
  );
  await look();
  again();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

const empty = () =>
  h(
    'li',
    {},
    h(
      '.card',
      {},
      h('p', {}, 'There is no run yet. Three minutes are enough for a first one.'),
      h('a.button.main', { href: '#/new' }, 'Train on MNIST'),
    ),
  );

/** What is to be said of a job that has no card to say it, or that failed. */
function note(job, all, look) {
  const put = JSON.parse(localStorage.getItem(AWAY) ?? '[]');
  if (job.state === 'failed' && !put.includes(job.number)) {
    const away = h(
      'button',
      {
        click: () => {
          localStorage.setItem(AWAY, JSON.stringify([...put, job.number].slice(-50)));
          box.remove();
        },
      },
      'Put away',
    );
    const box = h('.note.level0', {}, h('strong', {}, `${job.run}: failed`), h('p.soft', {}, job.words), away);
    return box;
  }
  if (all.some((run) => run.name === job.run) || !['waiting', 'running'].includes(job.state)) return null;
  const link = h('a', { href: `#/run/${encodeURIComponent(job.run)}` }, job.run);
  const out = h('button', { click: () => busy(out, () => post(at(job.run, '/stop')).then(look)) }, 'Take it out');
  const words = job.state === 'waiting' ? ' waits' : ' is about to begin';
  return h('.note.level2', {}, h('strong', {}, link, words), h('.row', {}, job.state === 'waiting' ? out : null));
}

/** The button that fits how a run stands. */
function action(run, now, look) {
  const id = `act-${run.name}`;
  const button = (text, path, told) => {
    const made = h(
      'button',
      {
        id,
        click: () =>
          busy(made, async () => {
            await post(at(run.name, path));
            say(told);
            await look();
          }),
      },
      text,
    );
    return made;
  };
  if (now === 'running' || now === 'begins') return button('Stop', '/stop', 'It saves and stops.');
  if (now === 'waiting') return button('Take it out', '/stop', 'It waits no more.');
  return now === 'finished' ? null : button('Go on', '/resume', 'It goes on as soon as no other training is at work.');
}

/** A run that cannot be shown, and why. */
const unfit = (run) =>
  h(
    'article.card',
    {},
    h('.row', {}, h('h2.grow', {}, run.name), h('span.pill.failed', {}, 'cannot be shown')),
    h('p.error', {}, run.error),
  );

function card(run, now, isChosen, choose, look) {
  const share = run.total ? Math.min(1, run.images / run.total) : 0,
    href = `#/run/${encodeURIComponent(run.name)}`;
  const bar = h('i');
  bar.style.width = percent(share);
  const box = h('input', { type: 'checkbox', id: `mark-${run.name}`, change: () => choose(box, run.name) });
  box.checked = isChosen;
  const picture = run.picture
    ? h('img.thumb', { src: at(run.name, `/samples/${run.picture}`), alt: '', loading: 'lazy' })
    : h('.thumb');
  const about = `${run.recipe || 'recipe not known'} · ${short(run.images)} of ${short(run.total)} images${bestFigure(run, ' · ')}`;
  const done = {
    role: 'progressbar',
    'aria-label': `${run.name}: share that is done`,
    'aria-valuenow': Math.round(100 * share),
    'aria-valuemin': 0,
    'aria-valuemax': 100,
  };
  return h(
    'article.card',
    {},
    h('a', { href, id: `open-${run.name}`, 'aria-label': `Open ${run.name}` }, picture),
    h(
      '.row',
      {},
      h('h2.grow', {}, h('a', { href, id: `name-${run.name}` }, run.name)),
      h(`span.pill.${now}`, {}, WORDS[now]),
    ),
    h('.soft', {}, about),
    h('.bar', done, bar),
    h('.row', {}, action(run, now, look), h('label', {}, box, 'Compare')),
  );
}
