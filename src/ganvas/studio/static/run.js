// One run, live: how far it is, pictures out of the noise, both losses, the expert's accuracy, what it all means.
import { h, get, post, runPath, whole, short, percent, figure, duration, say, busy, exportButton, table, tabs, titleOf } from './dom.js';
import { chart } from './chart.js';
import { follow } from './events.js';
import { measured } from './figures.js';
import { film } from './film.js';
import { accuracyBars, networks } from './diagram.js';
import { startingText, tilesOf } from './progress.js';
import { queued } from './queued.js';
import { RESUMED, STATE_TEXTS, overallState } from './runs.js';

const SETTLE = 800; // milliseconds after a training's end before its result is requested
const WAITING = 2000; // milliseconds between two requests while a run is in the queue
const LINES = 10; // of a log that are shown

/** The charts of a run: each with the columns of the log that it shows. */
function charts(part) {
  const x = part.samples;
  const taskCharts = part.charts.map(({ title, curves, words }) => [
    chart(
      title,
      curves.map((curve) => [curve.title, curve.colour]),
      { words, x },
    ),
    curves.map((curve) => curve.key),
  ]);
  if (!part.contest) return taskCharts;
  const accuracy = chart(
    'How often the expert is right',
    [
      ['real', '--expert'],
      [part.made, '--forger'],
      ['held-out', '--held', [6, 4]],
    ],
    {
      range: [0, 1],
      form: (x) => percent(x),
      words: `50% = guessing, like tossing a coin. Held-out ${x} are real ones that it never trained on.`,
      mark: [0.5, 'guessing'],
      x,
    },
  );
  return [...taskCharts, [accuracy, ['accuracy_real', 'accuracy_fake', 'accuracy_held_out']]];
}

/** A tile's text with the figures of the newest check that has the first of them; nothing where none has. */
function tileText({ text }, checks) {
  const keys = [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]),
    check = checks.findLast((one) => one[keys[0]]);
  return check ? text.replace(/\{(\w+)\}/g, (_, key) => figure(check[key])) : '';
}

/** The last lines of the log, for runs without pages of their own. */
function logTable() {
  const place = h('div');
  return {
    element: h('section.card', {}, h('h2', {}, 'Log'), place),
    update(rows) {
      const shown = rows.slice(-LINES),
        keys = [...new Set(shown.flatMap((row) => Object.keys(row)))];
      const cells = shown.map((row) => keys.map((key) => (typeof row[key] === 'number' ? figure(row[key]) : '–')));
      place.replaceChildren(table('Log', keys, cells));
    },
  };
}

/** The files of a run. */
const fileTable = (files) =>
  h(
    'section.card',
    {},
    h('h2', {}, 'Files'),
    table(
      'Files',
      ['Name', 'Size'],
      files.map(({ name, bytes }) => [name, `${short(bytes)} bytes`]),
    ),
  );

/** A run's state, and the buttons for what can be done with it. */
export function controls(name, run, changed) {
  const state = h('span.pill', { 'aria-live': 'polite' }),
    actions = h('.row'),
    wrong = h('div');
  let shown = '',
    timer = 0,
    stopping = false,
    starting = false,
    page = null; // the button that exports one
  const button = (kind, id, text, work) => {
    const made = h(kind, { id, click: () => busy(made, work) }, text);
    return made;
  };
  const stop = async () => {
    await post(runPath(name, '/stop'));
    stopping = true;
    say('Saving and stopping ...');
    refresh();
  };
  const leaveQueue = async () => {
    await post(runPath(name, '/stop'));
    refresh();
  };
  const resume = (body) => async () => {
    const made = await post(runPath(name, '/resume'), body);
    if (body.images) run.total = body.images;
    starting = true;
    say(RESUMED[made.state]);
    refresh();
  };

  function paint() {
    if (run.state === 'running' || run.job?.state !== 'running') starting = false;
    const now = starting ? 'begins' : overallState(run.state, run.job);
    if (now !== 'running' && now !== 'begins') stopping = false;
    const key = JSON.stringify([now, run.total, run.report, run.model, run.job?.number, stopping]);
    if (key === shown) return;
    shown = key;
    const focus = actions.contains(document.activeElement);
    state.className = `pill ${now}`;
    state.textContent = STATE_TEXTS[now];
    const main = {
      running: () => button('button.owner', 'stop', 'Stop', stop),
      begins: () => button('button.owner', 'stop', 'Stop', stop),
      waiting: () => button('button.owner', 'out', 'Remove from queue', leaveQueue),
      finished: () =>
        run.parts ? null : button('button.owner', 'longer', 'Train twice as long', resume({ images: 2 * run.total })),
      stopped: () => button('button.main.owner', 'resume', 'Resume', resume({})),
      failed: () => button('button.main.owner', 'resume', 'Resume', resume({})),
    }[name.includes('~') ? 'part' : now]?.();
    if (stopping && main) {
      main.textContent = 'Saving and stopping ...';
      main.setAttribute('aria-disabled', 'true');
    }
    const report = run.report
      ? h('a.button', { href: runPath(name, '/report'), download: `${name}.html` }, 'Report')
      : null;
    const exported = run.model && run.part.exported ? (page ??= exportButton(name)) : null;
    actions.replaceChildren(...[main, report, exported].filter(Boolean));
    wrong.replaceChildren(...(now === 'failed' ? [h('p.error', { role: 'alert' }, 'It failed. ', run.job.words)] : []));
    if (focus) main?.focus();
  }
  /** Request the run's state; repeatedly while it may change without an event. */
  function refresh(pause = 0) {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const newest = await get(runPath(name)).catch(() => null);
      if (!newest) return;
      Object.assign(run, { state: newest.state, job: newest.job, report: newest.report, model: newest.model });
      paint();
      changed();
      if (run.state !== 'running' && ['running', 'waiting'].includes(run.job?.state)) refresh(WAITING);
    }, pause);
  }
  return {
    state,
    actions,
    wrong,
    refresh,
    status(now) {
      run.state = now;
      if (now === 'running') paint();
      refresh(now === 'running' ? 0 : SETTLE); // its process may still be about to end
    },
    close: () => clearTimeout(timer),
  };
}

export async function training(place, name) {
  const run = await get(runPath(name));
  if (!run.begun) return queued(place, name);
  if (run.shipped) return (await import('./shipped.js')).model(place, name, run);
  if (run.parts) return (await import('./several.js')).several(place, name, run);
  const partOf = name.includes('~') ? name.split('~')[0] : '';
  const { part } = run,
    rows = [],
    checks = [],
    pictures = [];
  const tiles = h('dl.tiles'),
    bar = h('i'),
    starting = h('p', { 'aria-live': 'polite' }),
    remarks = h('ul.remarks'),
    lost = h(
      'p.error',
      { role: 'alert', hidden: true },
      'The studio is not responding: what you see here is no longer live.',
    );
  const own = part.film ? await import(part.film) : null; // of a task whose samples are not pictures
  const movie = (own?.film ?? film)(name, part.before, run),
    drawn = charts(part),
    bars = accuracyBars(part.made),
    diagram = part.diagram && networks(part),
    found = measured(part.samples),
    log = part.pages.length || run.abilities.includes('apply') ? null : logTable(),
    panel = controls(name, run, () => paint());
  let due = 0,
    remarksTimer = 0,
    progress = null, // how far a running training is, from second to second
    came = 0; // when that was told

  function paint() {
    const last = rows.at(-1),
      running = run.state === 'running',
      ahead = running && progress && progress.images >= (last?.images ?? 0),
      now = ahead ? { ...progress, seconds: progress.seconds + (performance.now() - came) / 1000 } : last;
    const more = {};
    for (const tile of part.tiles) {
      const text = tileText(tile, checks);
      if (text) more[tile.title] = text;
    }
    tiles.replaceChildren(...tilesOf(part, now, run.total, running, more));
    bar.style.width = percent(run.total && now ? Math.min(1, now.images / run.total) : 0, 1);
    const text = running && !progress && !(now?.images >= run.total) ? startingText(part.samples) : '';
    if (starting.textContent !== text) starting.textContent = text;
    starting.hidden = !text;
  }
  function paintAll() {
    movie.update(pictures);
    found.update(checks);
    paint();
    const last = rows.at(-1),
      xs = rows.map((row) => row.images);
    for (const [plot, keys] of drawn)
      plot.update(
        xs,
        keys.map((key) => rows.map((row) => row[key] ?? null)),
      );
    if (last) {
      diagram?.update(last);
      log?.update(rows);
    }
    clearTimeout(remarksTimer);
    remarksTimer = setTimeout(async () => {
      const told = await get(runPath(name, '/remarks')).catch(() => null); // the run is gone
      if (!told) return;
      remarks.replaceChildren(...told.texts.map((text) => h('li', {}, text)));
      bars.update(told.right);
    }, 250);
  }
  const schedulePaint = () => {
    cancelAnimationFrame(due); // many events come at once when the page opens
    due = requestAnimationFrame(paintAll);
  };

  const source = follow(name, {
    row: (row) => {
      rows.push(row);
      schedulePaint();
    },
    check: (row) => {
      checks.push(row);
      schedulePaint();
    },
    picture: (picture) => {
      pictures.push(picture);
      schedulePaint();
    },
    state: ({ state }) => panel.status(state),
    progress: (moment) => {
      progress = moment.images === undefined ? null : moment;
      came = performance.now();
      paint();
    },
    again: () => {
      rows.length = checks.length = pictures.length = 0;
    },
    gone: () => {
      source.close();
      panel.state.textContent = 'removed';
      panel.actions.replaceChildren();
      say('This run’s folder has been removed.');
    },
    link: (up) => {
      lost.hidden = up;
    },
  });
  const reals = run.reals && !own
    ? h('img.sheet', {
        src: runPath(name, '/samples/reals.png'),
        alt: 'Real pictures of the training set',
        loading: 'lazy',
      })
    : 'No real pictures were saved with this run.';
  const beside = h('details', {}, h('summary', {}, 'Compare with real pictures'), reals);
  place.append(
    h('.row', {}, h('h1', {}, titleOf(name)), panel.state),
    partOf ? h('p', {}, 'Part of ', h('a', { href: `#/run/${encodeURIComponent(partOf)}` }, partOf)) : '',
    h('p.soft', {}, `Recipe ${run.recipe} · data: ${run.data}${run.other ? ` and ${run.other}` : ''}`),
    tabs(name, run, 'Training'),
    lost,
    panel.wrong,
    starting,
    h('.bar', { role: 'presentation' }, bar),
    tiles,
    panel.actions,
    h(
      own ? '.grid' : '.grid.wide',
      {},
      own ? null : h('section.card', {}, h('h2', {}, part.preview), movie.parts, part.rule ? h('p.soft', {}, part.rule) : null, beside),
      h(
        own ? '.grid.both' : '.stack',
        {},
        h('section.card', {}, h('h2', {}, part.question), remarks, part.contest ? bars.element : null),
        diagram?.element,
      ),
    ),
    own ? h('section.card.film', {}, h('h2', {}, part.preview), movie.parts) : '',
    found.element,
    h(
      '.grid',
      {},
      drawn.map(([plot]) => plot.element),
    ),
    log ? h('.stack', {}, log.element, fileTable(run.files)) : '',
  );
  panel.status(run.state);
  paint();
  const clock = setInterval(() => progress && paint(), 1000); // time passes while pictures are drawn, too
  return () => {
    clearInterval(clock);
    source.close();
    movie.stop();
    panel.close();
    clearTimeout(remarksTimer);
    cancelAnimationFrame(due);
    drawn.forEach(([plot]) => plot.close());
  };
}
