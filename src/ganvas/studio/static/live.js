// A run, live: pictures growing out of noise, both losses, the expert's accuracy, and what it all means.
import { h, s, get, post, at, whole, short, percent, figure, duration, say, busy, chart } from './kit.js';

export function tabs(name, run, here) {
  const pages = run.task === 'generate'
    ? [['', 'Contest'], ['/forger', 'Forger'], ['/expert', 'Expert'], ['/game', 'You against the machine']] : [['', 'Contest']];
  return h('nav.tabs', { 'aria-label': `Pages of ${name}` }, pages.map(([path, title]) =>
    h('a', { href: `#/run/${name}${path}`, 'aria-current': title === here ? 'page' : null }, title)),
  run.task === 'generate' ? null : h('a', { href: `#/mend/${name}` }, 'Use it'));
}

/** Follow a run's events; the browser goes on by itself where the connection broke. */
function follow(name, handlers) {
  const source = new EventSource(at(name, '/events'));
  for (const [kind, handle] of Object.entries(handlers)) source.addEventListener(kind, (event) => handle(JSON.parse(event.data)));
  return source;
}

export async function contest(place, name) {
  if (!(await get('/api/runs')).runs.some((r) => r.name === name)) return waiting(place, name);
  const run = await get(at(name));
  const draws = run.task === 'generate', rows = [], checks = [], pictures = [];
  const state = h('span.pill', { 'aria-live': 'polite' }), tiles = h('dl.tiles'), bar = h('i');
  const image = h('img.sheet', { alt: 'Pictures that the network makes', width: 560, height: 560 });
  const when = h('p.soft', { 'aria-live': 'off' }), range = h('input', { type: 'range', min: 0, max: 0, value: 0, 'aria-label': 'Time, from the first picture to the newest' });
  const play = h('button', {}, 'Play from the start'), remarks = h('ul.remarks'), actions = h('.row');
  const lossy = draws ? chart('Losses', [['expert', '--expert'], ['forger', '--forger']], { words: 'Each network’s own penalty. They pull against each other: level is good, falling is not the aim.' })
    : run.task === 'restore' ? chart('PSNR of training pieces, dB', [['PSNR', '--held']], { words: 'Higher is nearer to the true pictures.' })
      : chart('What is lost on the way', [['there and back', '--forger'], ['left alone', '--held']], { words: 'Distance of pixels, in a range of 2. Lower is better.' });
  const rightly = chart('How often the expert is right', [['real', '--expert'], ['forged', '--forger'], ['held-out', '--held', [6, 4]]],
    { range: [0, 1], form: (x) => percent(x), words: '50% is a coin. Held-out images are real ones that it never trained on.' });
  const pull = tug(), scheme = networks(run);
  let newest = true, timer = 0, asked = 0;

  const look = (i) => {
    if (!pictures.length) return;
    const { file, images } = pictures[Math.max(0, Math.min(pictures.length - 1, i))];
    image.src = at(name, `/samples/${file}?${rows.length && i === pictures.length - 1 ? rows.at(-1).images : 0}`);
    const first = file === 'fakes_init.png';
    when.textContent = first ? (draws ? 'Before the training: noise.' : 'Before the training.') : `After ${whole(images)} images.`;
    range.value = i;
    range.setAttribute('aria-valuetext', when.textContent);
  };
  range.addEventListener('input', () => { halt(); newest = +range.value === pictures.length - 1; look(+range.value); });
  const halt = () => { clearInterval(timer); timer = 0; play.textContent = 'Play from the start'; };
  play.addEventListener('click', () => {
    if (timer) { halt(); return; }
    let i = 0;
    newest = false;
    play.textContent = 'Stop';
    look(0);
    timer = setInterval(() => { i += 1; look(i); if (i >= pictures.length - 1) { newest = true; halt(); } }, 450);
  });

  function paint() {
    const last = rows.at(-1);
    if (!last) return;
    const xs = rows.map((r) => r.images), column = (key) => rows.map((r) => r[key] ?? null);
    lossy.update(xs, draws ? [column('loss_d'), column('loss_g')] : run.task === 'restore' ? [column('psnr')] : [column('loss_cycle'), column('loss_identity')]);
    rightly.update(xs, [column('accuracy_real'), column('accuracy_fake'), column('accuracy_held_out')]);
    const left = Math.max(0, run.total - last.images) / Math.max(last.images_per_second, 1e-9);
    const shown = { 'images seen': `${whole(last.images)} of ${whole(run.total)}`, epoch: figure(last.epoch), 'images a second': whole(last.images_per_second),
      'training time': duration(last.seconds), 'time left': run.state === 'running' ? duration(left) : '–' };
    const check = checks.at(-1);
    if (check?.psnr) shown['PSNR, held out'] = `${figure(check.psnr)} dB (damaged ${figure(check.psnr_damaged)})`;
    if (check?.cycle_a) shown['there and back'] = `${figure(check.cycle_a)} dB`;
    tiles.replaceChildren(...Object.entries(shown).map(([k, v]) => h('div', {}, h('dt', {}, k), h('dd', {}, v))));
    bar.style.width = percent(run.total ? Math.min(1, last.images / run.total) : 0);
    pull.update(last);
    scheme.update(last);
  }
  let due = 0;
  const soon = () => { // many events come at once when the page opens
    cancelAnimationFrame(due);
    due = requestAnimationFrame(() => {
      range.max = Math.max(0, pictures.length - 1);
      if (newest) look(pictures.length - 1);
      paint();
      clearTimeout(asked);
      asked = setTimeout(async () => {
        try { remarks.replaceChildren(...(await get(at(name, '/remarks'))).map((text) => h('li', {}, text))); } catch { /* it is gone */ }
      }, 250);
    });
  };
  function status(now) {
    run.state = now;
    state.className = `pill ${now}`;
    state.textContent = { running: 'training now', finished: 'finished', stopped: 'stopped' }[now];
    const stop = h('button', { id: 'stop', click: () => busy(stop, async () => { await post(at(name, '/stop')); say('It saves and stops.'); }) }, 'Stop');
    const on = h('button.main', { id: 'resume', click: () => busy(on, () => go({})) }, 'Go on');
    const longer = h('button', { id: 'longer', click: () => busy(longer, () => go({ images: 2 * run.total })) }, 'Train to twice the length');
    const go = async (body) => {
      const made = await post(at(name, '/resume'), body);
      if (body.images) run.total = body.images;
      say(made.state === 'waiting' ? 'Another training is at work; this one waits for it.' : 'It goes on.');
    };
    actions.replaceChildren(...(now === 'running' ? [stop] : now === 'finished' ? [longer] : [on]),
      h('a.button', { href: at(name, '/report'), download: `${name}.html` }, 'Report'));
    paint();
  }

  const source = follow(name, {
    row: (row) => { rows.push(row); soon(); },
    check: (row) => { checks.push(row); soon(); },
    picture: (found) => { pictures.push(found); soon(); },
    state: (found) => status(found.state),
    again: () => { rows.length = checks.length = pictures.length = 0; },
    gone: () => { source.close(); state.textContent = 'gone'; say('This run’s folder has been removed.'); },
  });
  place.append(h('.row', {}, h('h1', {}, name), state), h('p.soft', {}, `${run.recipe} on ${run.data}${run.other ? ` and ${run.other}` : ''}`), tabs(name, run, 'Contest'),
    h('.bar', { role: 'presentation' }, bar), h('.row'), tiles, actions,
    h('.grid.wide', {}, h('section.card', {}, h('h2', {}, draws ? 'From noise to pictures' : 'How it grows'), image, when, h('.row', {}, play, h('.grow', {}, range)),
      h('details', {}, h('summary', {}, 'Beside real pictures'), run.reals ? h('img.sheet', { src: at(name, '/samples/reals.png'), alt: 'Real pictures of the training set', loading: 'lazy' }) : 'There are none.')),
    h('div', {}, h('section.card', {}, h('h2', {}, 'How does the contest stand?'), remarks, pull.element), h('.row'), scheme.element)),
    h('.grid', {}, lossy.element, rightly.element));
  status(run.state);
  return () => { source.close(); halt(); clearTimeout(asked); lossy.close(); rightly.close(); };
}

/** The expert's accuracy as a tug-of-war about 50%. */
function tug() {
  const keys = [['accuracy_real', 'real', 'Real'], ['accuracy_fake', 'fake', 'Forged'], ['accuracy_held_out', 'held', 'Held out']];
  const parts = keys.map(([key, name, title]) => ({ key, bar: h(`i.${name}`), value: h('span', {}, '–'), title }));
  const told = h('p.soft', {}, 'The expert pulls to the right, the forger back to the middle.');
  return {
    element: h('div', {}, h('h3', {}, 'How often the expert is right'), h('.tug', {}, parts.map((p) => [h('span', {}, p.title), h('.track', {}, p.bar), p.value])), told),
    update(row) {
      for (const { key, bar, value } of parts) {
        const x = row[key];
        value.textContent = percent(x);
        bar.style.left = percent(Math.min(0.5, x ?? 0.5), 1);
        bar.style.width = percent(Math.abs((x ?? 0.5) - 0.5), 1);
      }
    },
  };
}

/** The two networks and what flows between them. */
function networks(run) {
  const words = {
    generate: ['noise', 'Forger', 'forged pictures', 'Noise goes into the forger (generator), who makes a picture of it. The expert (discriminator) sees forged and real pictures in turn and says which is which. Whoever is wrong learns from it: the expert to look more closely, the forger to fool it.'],
    restore: ['damaged', 'Mender', 'mended pictures', 'Damaged pictures go into the mender (generator), who must come near to the true ones. Where lively is above 0 an expert (discriminator) also says whether a patch looks true.'],
    translate: ['kind A', 'Forger', 'as kind B', 'A picture of one kind goes into the forger (generator), who turns it into the other. The expert (discriminator) compares it with true ones; another forger takes it back, and it must be what it was.'],
  }[run.task];
  const text = (x, y, content, cls = '') => s('text', { x, y, 'text-anchor': 'middle', class: cls }, content);
  const g = text(142, 74, '', 's'), d = text(372, 109, '', 's');
  const dot = (path, delay) => s('circle', { r: 4 }, Object.assign(s('animateMotion', { dur: '2.4s', repeatCount: 'indefinite', begin: `${delay}s`, path })));
  const svg = s('svg', { viewBox: '0 0 460 170', class: 'net', role: 'img', 'aria-label': words[3] },
    text(32, 60, words[0]), s('path', { d: 'M62 56h32' }), s('rect', { x: 96, y: 34, width: 92, height: 48, rx: 8, class: 'g' }), text(142, 56, words[1]), g,
    s('path', { d: 'M188 58h58q20 0 30 22l10 12h36' }), text(250, 46, words[2], 's'), text(250, 150, run.task === 'translate' ? 'true pictures of kind B' : 'true pictures', 's'),
    s('path', { d: 'M236 134h20q20 0 30-18l10-14h26' }), s('rect', { x: 322, y: 68, width: 100, height: 50, rx: 8, class: 'd' }), text(372, 90, 'Expert'), d, s('path', { d: 'M422 93h24' }),
    s('path', { d: 'M372 68V20H142v12', 'stroke-dasharray': '4 4' }), text(258, 15, 'what it says teaches the forger', 's'),
    dot('M62 56h32', 0), dot('M188 58h58q20 0 30 22l10 12h36', 0.6), dot('M236 134h20q20 0 30-18l10-14h26', 1.2), dot('M372 68V20H142v12', 1.8));
  return {
    element: h('section.card', {}, h('h2', {}, 'Who plays'), svg, h('p.soft', {}, words[3])),
    update(row) {
      g.textContent = row.loss_g === undefined ? '' : `loss ${figure(row.loss_g)}`;
      d.textContent = row.loss_d === undefined ? 'asleep' : `loss ${figure(row.loss_d)}`;
    },
  };
}

/** A run that waits in the queue, or whose training has not made its folder yet. */
async function waiting(place, name) {
  const told = h('p', { 'aria-live': 'polite' }, 'It is about to begin …');
  place.append(h('h1', {}, name), told, h('p', {}, h('a', { href: '#/' }, 'All runs')));
  const look = async () => {
    const found = await get('/api/runs');
    if (found.runs.some((r) => r.name === name)) { dispatchEvent(new HashChangeEvent('hashchange')); return; }
    const job = found.jobs.find((j) => j.run === name);
    if (!job) { clearInterval(timer); told.textContent = 'There is no such run (any more).'; }
    else if (job.state === 'failed') { clearInterval(timer); told.replaceChildren(h('strong.error', { role: 'alert' }, 'It could not begin. '), job.words); }
    else if (job.state === 'waiting') told.textContent = 'Another training is at work; this one waits for it.';
    else if (job.state === 'stopped') told.textContent = 'It was stopped before it began.';
    else told.textContent = 'It is about to begin: pictures are read, networks are built …';
  };
  const timer = setInterval(() => look().catch((e) => say(e.message)), 1000);
  await look();
  return () => clearInterval(timer);
}

export async function compare(place, names) {
  const found = await Promise.all(names.split(',').slice(0, 3).map((name) => get(at(name))));
  const colours = ['--expert', '--forger', '--held'], all = found.map(() => []), ends = [];
  const kinds = [['loss_g', 'Forger’s loss'], ['loss_d', 'Expert’s loss'], ['accuracy_held_out', 'Accuracy on held-out images'], ['psnr', 'PSNR of training pieces, dB'], ['loss_cycle', 'There and back']];
  const charts = kinds.map(([key, title]) => ({ key, drawn: chart(title, found.map((r, i) => [r.name, colours[i]])) }));
  const paint = () => {
    const xs = [...new Set(all.flat().map((r) => r.images))].sort((a, b) => a - b);
    for (const { key, drawn } of charts) {
      const ys = all.map((rows) => { const known = new Map(rows.map((r) => [r.images, r[key]])); return xs.map((x) => known.get(x) ?? null); });
      drawn.element.hidden = !ys.flat().some((y) => y !== null);
      if (!drawn.element.hidden) drawn.update(xs, ys);
    }
  };
  let due = 0;
  found.forEach((run, i) => ends.push(follow(run.name, { row: (row) => { all[i].push(row); cancelAnimationFrame(due); due = requestAnimationFrame(paint); }, again: () => { all[i].length = 0; } })));
  const flat = (r) => Object.entries(r.settings).flatMap(([group, values]) => Object.entries(values).map(([k, v]) => [`${group}.${k}`, String(v)]));
  const tables = found.map((r) => new Map(flat(r))), keys = [...new Set(tables.flatMap((t) => [...t.keys()]))].filter((k) => new Set(tables.map((t) => t.get(k))).size > 1);
  place.append(h('h1', {}, 'Side by side'), h('.grid', {}, found.map((r) => h('section.card', {}, h('h2', {}, h('a', { href: `#/run/${r.name}` }, r.name)),
    r.picture ? h('img.sheet', { src: at(r.name, `/samples/${r.picture}`), alt: `Newest pictures of ${r.name}` }) : 'No picture yet.',
    h('p.soft', {}, `${r.recipe}, ${short(r.images)} images, ${duration(r.seconds)}${r.figure ? `, ${r.figure.title} ${figure(r.figure.value)}` : ''}`)))),
  h('.grid', {}, charts.map((c) => c.drawn.element)),
  h('section.card', {}, h('h2', {}, 'Settings that differ'), keys.length ? h('.scroll', { tabindex: 0, role: 'region', 'aria-label': 'Settings that differ' }, h('table', {}, h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Setting'), found.map((r) => h('th', { scope: 'col' }, r.name)))),
    h('tbody', {}, keys.map((k) => h('tr', {}, h('th', { scope: 'row' }, k), tables.map((t) => h('td', {}, t.get(k) ?? '–'))))))) : 'None: these runs differ in nothing but time.'));
  return () => { ends.forEach((e) => e.close()); charts.forEach((c) => c.drawn.close()); };
}
