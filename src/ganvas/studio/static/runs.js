// All runs.
import { h, get, post, runPath, short, percent, bestFigure, titleOf, say, busy } from './dom.js';
import { ready } from './shipped.js';

const PAUSE = 2500; // milliseconds between two requests
const SHOWN = 60; // cards at first
const AWAY = 'ganvas-put-away'; // storage key: failures that the user has dismissed
export const STATE_TEXTS = {
  running: 'training now',
  finished: 'finished',
  stopped: 'stopped',
  waiting: 'waiting',
  begins: 'starting',
  failed: 'failed',
};

/** What is said after a request to resume, by the state of its job. */
export const RESUMED = {
  running: 'Resuming ...',
  ending: 'It is still saving; it resumes in a moment.',
  waiting: 'Another training is running; this one waits for it.',
};

/** A run's state, with its newest job taken into account. */
export function overallState(state, job) {
  if (state === 'running' || !job) return state;
  if (job.state === 'waiting') return 'waiting';
  if (job.state === 'running') return state === 'finished' ? state : 'begins';
  return job.state === 'failed' && state === 'stopped' ? 'failed' : state;
}

export async function runs(place) {
  const chosen = new Set(),
    cards = new Map();
  let answer = null,
    before = '',
    jobsBefore = '',
    most = SHOWN,
    timer = 0,
    over = false;
  const list = h('ul.runs'),
    first = h('div'), // what can be done before any training, where there is no run yet ...
    last = h('div'), // ... and where there are some
    notes = h('div', { 'aria-live': 'polite' });
  const compare = h('a.button', { href: '#/', hidden: true });
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
    compare.textContent = enough ? `Compare ${chosen.size} runs` : 'Compare: select two or three';
  };
  const choose = (box, name) => {
    if (!box.checked) chosen.delete(name);
    else if (chosen.size < 3) chosen.add(name);
    else {
      box.checked = false;
      say('You can compare up to three runs.');
    }
    mark();
  };

  /** Unchanged cards stay as they are, so that they keep their focus and a button that is being pressed. */
  function paint() {
    const jobs = new Map(answer.jobs.map((job) => [job.run, job]));
    const query = search.value.toLowerCase();
    const matching = answer.runs.filter((run) => `${run.name} ${run.recipe}`.toLowerCase().includes(query));
    const elements = matching.slice(0, most).map((run) => {
      const job = jobs.get(run.name),
        key = JSON.stringify([run, job]),
        known = cards.get(run.name);
      if (known?.key === key) return known.element;
      const element = known?.element ?? h('li');
      const focus = element.contains(document.activeElement) ? document.activeElement.id : '';
      element.replaceChildren(
        run.error ? unfit(run) : card(run, overallState(run.state, job), chosen.has(run.name), choose, reload),
      );
      if (focus) document.getElementById(focus)?.focus();
      cards.set(run.name, { key, element });
      return element;
    });
    const some = answer.runs.length > 0,
      place = some ? last : first;
    if (!place.children.length) {
      first.replaceChildren();
      last.replaceChildren();
      place.append(ready(answer.models, some ? 'Ready to use' : 'Play now') ?? '');
    }
    compare.hidden = answer.runs.length < 2;
    if (!some) elements.push(empty());
    else if (!matching.length) elements.push(h('li', {}, h('p', {}, 'No runs match.')));
    if (elements.length !== list.children.length || elements.some((element, i) => element !== list.children[i]))
      list.replaceChildren(...elements);
    filter.hidden = answer.runs.length <= 8;
    more.hidden = matching.length <= most;
    more.textContent = `Show more (${matching.length - most} left)`;
    const jobsNow = JSON.stringify(answer.jobs);
    if (jobsNow !== jobsBefore)
      notes.replaceChildren(...answer.jobs.map((job) => note(job, answer.runs, reload)).filter(Boolean));
    jobsBefore = jobsNow;
  }
  async function reload() {
    answer = await get('/api/runs');
    const text = JSON.stringify(answer);
    if (text !== before && !over) paint();
    before = text;
  }
  const poll = () => {
    if (over) return;
    timer = setTimeout(async () => {
      if (!document.hidden) await reload().catch((error) => say(error.message));
      poll();
    }, PAUSE);
  };

  mark();
  place.append(
    h('h1', {}, 'Runs'),
    h('p.soft', {}, 'Each card is a training. Open one to watch it live and use its model.'),
    h('.row', {}, h('a.button.main.owner', { href: '#/new' }, 'New training'), compare, filter),
    invitation(),
    notes,
    first,
    list,
    h('.row', {}, more),
    last,
  );
  await reload();
  poll();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

/** The address for visitors who may watch and play and change nothing; empty where there is none. */
function invitation() {
  const place = h('div');
  get('/api/visitor').then(
    ({ link }) => {
      if (!link) return;
      const field = h('input', { id: 'link', readonly: true, value: `${location.origin}${link}`, focus: () => field.select() });
      place.append(
        h(
          'details.invite',
          {},
          h('summary', {}, 'Invite visitors'),
          h('label', { for: 'link' }, 'With this link others can watch and play, but not change anything.', field),
        ),
      );
    },
    () => {},
  );
  return place;
}

const empty = () =>
  h(
    'li.owner',
    {},
    h(
      '.card',
      {},
      h('p', {}, 'Or train your own model. Three minutes are enough for a first one.'),
      h('a.button.main', { href: '#/new' }, 'Train on MNIST'),
    ),
  );

/** A note on a job that failed, or whose run has no card yet. */
function note(job, all, reload) {
  const dismissed = JSON.parse(localStorage.getItem(AWAY) ?? '[]');
  if (job.state === 'failed' && !dismissed.includes(job.number)) {
    const away = h(
      'button',
      {
        click: () => {
          localStorage.setItem(AWAY, JSON.stringify([...dismissed, job.number].slice(-50)));
          box.remove();
        },
      },
      'Dismiss',
    );
    const box = h('.note.level0', {}, h('strong', {}, `${job.run}: failed`), h('p.soft', {}, job.words), away);
    return box;
  }
  if (all.some((run) => run.name === job.run) || !['waiting', 'running'].includes(job.state)) return null;
  const link = h('a', { href: `#/run/${encodeURIComponent(job.run)}` }, job.run);
  const stop = () => post(runPath(job.run, '/stop')).then(reload);
  const out = h('button.owner', { click: () => busy(out, stop) }, 'Remove from queue');
  const text = job.state === 'waiting' ? ' is waiting' : ' is starting';
  return h('.note.level2', {}, h('strong', {}, link, text), h('.row', {}, job.state === 'waiting' ? out : null));
}

/** The button that fits a run's state. */
function action(run, now, reload) {
  const id = `act-${run.name}`;
  const button = (text, path, message) => {
    const made = h(
      'button',
      {
        id,
        class: 'owner',
        click: () =>
          busy(made, async () => {
            const made = await post(runPath(run.name, path));
            say(message ?? RESUMED[made.state]);
            await reload();
          }),
      },
      text,
    );
    return made;
  };
  if (now === 'running' || now === 'begins') return button('Stop', '/stop', 'Saving and stopping ...');
  if (now === 'waiting') return button('Remove from queue', '/stop', 'Removed.');
  return now === 'finished' ? null : button('Resume', '/resume');
}

/** A menu with what is seldom done to a run. */
function seldom(run, reload) {
  const choice = (text, kind) => {
    const made = h(
      'button',
      {
        click: () =>
          busy(made, async () => {
            menu.open = false;
            await (await import('./upkeep.js'))[kind](run.name, reload);
          }),
      },
      text,
    );
    return made;
  };
  const menu = h(
    'details.menu.owner',
    {},
    h('summary.button', { 'aria-label': `More for ${titleOf(run.name)}` }, '⋯'),
    h('.choice', {}, choice('Rename ...', 'rename'), choice('Delete ...', 'remove')),
  );
  return menu;
}

/** A run that cannot be shown, and why. */
const unfit = (run) =>
  h(
    'article.card',
    {},
    h('.row', {}, h('h2.grow', {}, run.name), h('span.pill.failed', {}, 'cannot be shown')),
    h('p.error', {}, run.error),
  );

/** The parts of a training in several, as links. */
const tables = (run) =>
  h(
    'ul.thumb.parts',
    {},
    run.parts.map((part) =>
      h('li', {}, h('a', { href: `#/run/${encodeURIComponent(part.name)}` }, titleOf(part.name).split(' › ').at(-1))),
    ),
    run.waiting.map((name) => h('li.soft', {}, `${name} (not started)`)),
  );

export function card(run, now, isChosen, choose, reload) {
  const share = run.total ? Math.min(1, run.images / run.total) : 0,
    href = `#/run/${encodeURIComponent(run.name)}`;
  const bar = h('i');
  bar.style.width = percent(share);
  const box = h('input', { type: 'checkbox', id: `mark-${run.name}`, change: () => choose(box, run.name) });
  box.checked = isChosen;
  const path = runPath(run.name, `/samples/${run.picture}`),
    picture = run.parts ? tables(run) : run.picture && !run.film ? h('img.thumb', { src: path, alt: '', loading: 'lazy' }) : h('.thumb');
  if (run.picture && run.film)
    import(run.film)
      .then((own) => own.thumb(picture, path))
      .catch(() => {}); // without it the place stays empty
  const about = `${run.recipe || 'unknown recipe'} · ${short(run.images)} of ${short(run.total)} ${run.samples}${bestFigure(run, ' · ')}`;
  const done = {
    role: 'progressbar',
    'aria-label': `${run.name}: progress`,
    'aria-valuenow': Math.round(100 * share),
    'aria-valuemin': 0,
    'aria-valuemax': 100,
  };
  return h(
    'article.card',
    {},
    run.parts ? picture : h('a', { href, id: `open-${run.name}`, 'aria-label': `Open ${titleOf(run.name)}` }, picture),
    h(
      '.row.title',
      {},
      h('h2.grow', {}, h('a', { href, id: `name-${run.name}` }, titleOf(run.name).split(' › ').at(-1))),
      reload && ['stopped', 'finished', 'failed'].includes(now) ? seldom(run, reload) : null,
    ),
    h('div', {}, h(`span.pill.${now}`, {}, STATE_TEXTS[now])),
    h('.soft', {}, about),
    h('.bar', done, bar),
    h('.row', {}, reload ? action(run, now, reload) : null, choose && !run.parts ? h('label', {}, box, 'Compare') : null),
  );
}
