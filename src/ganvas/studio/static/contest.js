// One run, live: pictures out of the noise, both losses, the expert's accuracy, and what it all means.
import { h, get, post, at, whole, percent, figure, duration, say, busy, tabs } from './kit.js';
import { chart } from './chart.js';
import { follow } from './events.js';
import { film } from './film.js';
import { networks, tug } from './scheme.js';
import { waiting } from './waiting.js';
import { WORDS, standing } from './runs.js';

const SETTLE = 800; // milliseconds after a training's end before it is asked how it ended
const WAITING = 2000; // milliseconds between two looks at a queue

/** The charts of a task: each with the columns of the log that it shows. */
function charts(task) {
  const losses = {
    generate: () => [
      chart(
        'Losses',
        [
          ['expert', '--expert'],
          ['forger', '--forger'],
        ],
        { words: 'Each network’s own penalty. They pull against each other: level is good, falling is not the aim.' },
      ),
      ['loss_d', 'loss_g'],
    ],
    restore: () => [
      chart('PSNR of training pieces, dB', [['PSNR', '--held']], { words: 'Higher is nearer to the true pictures.' }),
      ['psnr'],
    ],
    translate: () => [
      chart(
        'What is lost on the way',
        [
          ['there and back', '--forger'],
          ['left alone', '--held'],
        ],
        { words: 'Distance of pixels, in a range of 2. Lower is better.' },
      ),
      ['loss_cycle', 'loss_identity'],
    ],
  };
  const rightly = chart(
    'How often the expert is right',
    [
      ['real', '--expert'],
      ['forged', '--forger'],
      ['held-out', '--held', [6, 4]],
    ],
    {
      range: [0, 1],
      form: (x) => percent(x),
      words: '50% is a coin. Held-out images are real ones that it never trained on.',
    },
  );
  return [losses[task](), [rightly, ['accuracy_real', 'accuracy_fake', 'accuracy_held_out']]];
}

/** What can be done with a run, and how it stands. */
function controls(name, run, changed) {
  const state = h('span.pill', { 'aria-live': 'polite' }),
    actions = h('.row'),
    wrong = h('div');
  let shown = '',
    timer = 0,
    stopping = false,
    starting = false;
  const button = (kind, id, text, work) => {
    const made = h(kind, { id, click: () => busy(made, work) }, text);
    return made;
  };
  const stop = async () => {
    await post(at(name, '/stop'));
    stopping = true;
    say('It saves and stops.');
    refresh();
  };
  const out = async () => {
    await post(at(name, '/stop'));
    refresh();
  };
  const go = (body) => async () => {
    const made = await post(at(name, '/resume'), body);
    if (body.images) run.total = body.images;
    starting = true;
    say(made.state === 'waiting' ? 'Another training is at work; this one waits for it.' : 'It goes on.');
    refresh();
  };

  function paint() {
    if (run.state === 'running' || run.job?.state !== 'running') starting = false;
    const now = starting ? 'begins' : standing(run.state, run.job);
    if (now !== 'running' && now !== 'begins') stopping = false;
    const key = JSON.stringify([now, run.total, run.report, run.job?.number, stopping]);
    if (key === shown) return;
    shown = key;
    const focus = actions.contains(document.activeElement);
    state.className = `pill ${now}`;
    state.textContent = WORDS[now];
    const main = {
      running: () => button('button', 'stop', 'Stop', stop),
      begins: () => button('button', 'stop', 'Stop', stop),
      waiting: () => button('button', 'out', 'Take it out of the queue', out),
      finished: () => button('button', 'longer', 'Train to twice the length', go({ images: 2 * run.total })),
      stopped: () => button('button.main', 'resume', 'Go on', go({})),
      failed: () => button('button.main', 'resume', 'Go on', go({})),
    }[now]();
    if (stopping) {
      main.textContent = 'It saves and stops …';
      main.setAttribute('aria-disabled', 'true');
    }
    const report = run.report ? h('a.button', { href: at(name, '/report'), download: `${name}.html` }, 'Report') : null;
    actions.replaceChildren(...[main, report].filter(Boolean));
    wrong.replaceChildren(...(now === 'failed' ? [h('p.error', { role: 'alert' }, 'It failed. ', run.job.words)] : []));
    if (focus) main.focus();
  }
  /** Ask the server how the run stands; again while that may change without an event. */
  function refresh(pause = 0) {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const found = await get(at(name)).catch(() => null);
      if (!found) return;
      Object.assign(run, { state: found.state, job: found.job, report: found.report });
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

export async function contest(place, name) {
  const run = await get(at(name));
  if (!run.begun) return waiting(place, name);
  const draws = run.task === 'generate',
    rows = [],
    checks = [],
    pictures = [];
  const tiles = h('dl.tiles'),
    bar = h('i'),
    remarks = h('ul.remarks'),
    lost = h(
      'p.error',
      { role: 'alert', hidden: true },
      'The studio does not answer: what is shown here is no longer live.',
    );
  const movie = film(name, draws),
    drawn = charts(run.task),
    pull = tug(),
    scheme = networks(run.task),
    panel = controls(name, run, () => paint());
  let due = 0,
    asked = 0;

  function paint() {
    const last = rows.at(-1);
    if (!last) return;
    const left = Math.max(0, run.total - last.images) / Math.max(last.images_per_second, 1e-9);
    const shown = {
      'images seen': `${whole(last.images)} of ${whole(run.total)}`,
      epoch: figure(last.epoch),
      'images a second': last.images_per_second < 10 ? figure(last.images_per_second) : whole(last.images_per_second),
      'training time': duration(last.seconds),
      'time left': run.state === 'running' ? duration(left) : '–',
    };
    const check = checks.at(-1);
    if (check?.psnr) shown['PSNR, held out'] = `${figure(check.psnr)} dB (damaged ${figure(check.psnr_damaged)})`;
    if (check?.cycle_a) shown['there and back'] = `${figure(check.cycle_a)} dB`;
    tiles.replaceChildren(...Object.entries(shown).map(([k, v]) => h('div', {}, h('dt', {}, k), h('dd', {}, v))));
    bar.style.width = percent(run.total ? Math.min(1, last.images / run.total) : 0);
  }
  function paintAll() {
    movie.update(pictures);
    paint();
    const last = rows.at(-1),
      xs = rows.map((row) => row.images);
    for (const [plot, keys] of drawn)
      plot.update(
        xs,
        keys.map((key) => rows.map((row) => row[key] ?? null)),
      );
    if (last) {
      pull.update(last);
      scheme.update(last);
    }
    clearTimeout(asked);
    asked = setTimeout(async () => {
      const told = await get(at(name, '/remarks')).catch(() => null); // it is gone
      if (told) remarks.replaceChildren(...told.map((text) => h('li', {}, text)));
    }, 250);
  }
  const soon = () => {
    cancelAnimationFrame(due); // many events come at once when the page opens
    due = requestAnimationFrame(paintAll);
  };

  const source = follow(name, {
    row: (row) => {
      rows.push(row);
      soon();
    },
    check: (row) => {
      checks.push(row);
      soon();
    },
    picture: (found) => {
      pictures.push(found);
      soon();
    },
    state: (found) => panel.status(found.state),
    again: () => {
      rows.length = checks.length = pictures.length = 0;
    },
    gone: () => {
      source.close();
      panel.state.textContent = 'gone';
      panel.actions.replaceChildren();
      say('This run’s folder has been removed.');
    },
    link: (up) => {
      lost.hidden = up;
    },
  });
  const reals = run.reals
    ? h('img.sheet', { src: at(name, '/samples/reals.png'), alt: 'Real pictures of the training set', loading: 'lazy' })
    : 'There are none.';
  place.append(
    h('.row', {}, h('h1', {}, name), panel.state),
    h('p.soft', {}, `${run.recipe} on ${run.data}${run.other ? ` and ${run.other}` : ''}`),
    tabs(name, run, 'Contest'),
    lost,
    panel.wrong,
    h('.bar', { role: 'presentation' }, bar),
    tiles,
    panel.actions,
    h(
      '.grid.wide',
      {},
      h(
        'section.card',
        {},
        h('h2', {}, draws ? 'From noise to pictures' : 'How it grows'),
        movie.parts,
        h('details', {}, h('summary', {}, 'Beside real pictures'), reals),
      ),
      h(
        '.stack',
        {},
        h('section.card', {}, h('h2', {}, 'How does the contest stand?'), remarks, pull.element),
        scheme.element,
      ),
    ),
    h(
      '.grid',
      {},
      drawn.map(([plot]) => plot.element),
    ),
  );
  panel.status(run.state);
  return () => {
    source.close();
    movie.halt();
    panel.close();
    clearTimeout(asked);
    cancelAnimationFrame(due);
    drawn.forEach(([plot]) => plot.close());
  };
}
