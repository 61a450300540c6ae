// The detector alone: what it says about a recording, from the microphone or from a file.
import { h, s, send, get, runPath, whole, figure, percent, busy, dropZone, save, table, turns, tabs } from '/static/dom.js';
import { readable, record, whyNot } from './microphone.js';
import { play, shown } from './sounds.js';

const LONGEST = 10; // seconds from the microphone
const LARGEST = 25_000_000; // bytes that the studio takes
const FORMATS = 'audio/*,.wav,.flac,.ogg,.oga,.opus,.mp3,.aif,.aiff,.aifc,.au,.sph';
const BARS = 24; // of the chart
const SIZE = [320, 90]; // of the chart in its own units
const CLASSES = 10; // that are shown at first

/** How odd held-out sounds are, as bars on a logarithmic scale, and where the recording is among them. */
function oddityChart({ usual, limit, oddity }) {
  const low = Math.log(Math.min(usual[0], oddity) * 0.95),
    high = Math.log(Math.max(usual.at(-1), limit, oddity) * 1.05),
    [width, height] = SIZE;
  const part = (value) => (Math.log(value) - low) / Math.max(high - low, 1e-9),
    counts = new Array(BARS).fill(0);
  for (const value of usual) counts[Math.min(BARS - 1, Math.floor(BARS * part(value)))] += 1;
  const most = Math.max(...counts);
  const bars = counts.map((count, i) =>
    s('rect', {
      class: 'is-real',
      x: (i * width) / BARS + 1,
      y: height - (height * count) / most,
      width: width / BARS - 2,
      height: (height * count) / most,
    }),
  );
  const line = (value, kind) => s('line', { class: kind, x1: part(value) * width, x2: part(value) * width, y1: 0, y2: height });
  const label = `Oddity ${figure(oddity)}; held-out sounds from ${figure(usual[0])} to ${figure(usual.at(-1))}; odd above ${figure(limit)}`;
  const chart = { class: 'oddity', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label, preserveAspectRatio: 'none' };
  return h(
    'figure',
    {},
    s('svg', chart, bars, line(limit, 'limit'), line(oddity, 'here')),
    h('.ends', {}, h('span', {}, `${figure(Math.exp(low))}, usual`), h('span', {}, `odd, ${figure(Math.exp(high))}`)),
    h('figcaption.soft', {}, 'Bars: held-out sounds. Solid line: this recording. Dashed: odd from here on.'),
  );
}

/** How similar the recording is to each class. */
function classTable(classes, given) {
  const row = ({ name, distance, share }) => {
    const bar = h('i');
    bar.style.width = percent(share, 1);
    return [name === given ? h('strong', {}, `${name} (said)`) : name, figure(distance), h('.share', {}, h('span', {}, bar), percent(share, share < 0.1 ? 1 : 0))];
  };
  const heads = ['Class', 'Distance', 'Held-out sounds as far from their class'];
  const few = classes.filter((one, i) => i < CLASSES || one.name === given),
    place = h('div', {}, table('Similarity to each class', heads, few.map(row), true));
  const all = h(
    'button',
    {
      click: () => {
        place.replaceChildren(table('Similarity to each class', heads, classes.map(row), true));
        place.querySelector('[tabindex]').focus();
      },
    },
    `All ${whole(classes.length)} classes`,
  );
  if (few.length < classes.length) place.append(h('.row', {}, all));
  return [h('h3', {}, 'Similarity to each class'), place];
}

/** The verdict, for people. */
function verdict(found, given, name) {
  const { heard, usual } = found,
    half = usual[Math.floor(usual.length / 2)];
  const hear = h('button.main', { id: 'hear', click: () => play(heard.wav) }, 'Play');
  return [
    h('h2', { id: 'verdict', tabindex: -1 }, found.title),
    h('p', {}, `Its oddity is ${figure(found.oddity)}. Half of the held-out sounds are below ${figure(half)}; above ${figure(found.limit)} a sound is called odd. ${found.words[0]}`),
    oddityChart(found),
    h('p.soft', {}, found.words.slice(1).join(' ')),
    h('h3', {}, 'As Ganvas heard it'),
    h('.heard', {}, shown(heard, 'Spectrogram of the recording as Ganvas heard it')),
    h('p.soft', {}, `The file: ${found.file}. Silence before and after is cut off, and the peak is set to a fixed level${found.changes ? `; ${found.changes}` : ''}.`),
    h('.row', {}, hear, h('button', { click: () => save(heard.wav, `${name}-heard.wav`) }, 'WAV')),
    ...(found.classes.length ? classTable(found.classes, given) : []),
  ];
}

/** A button that records and stops; `take(file)` gets the recording. */
function microphone(take) {
  const none = whyNot();
  if (none) return { element: h('p.note', { id: 'no-microphone' }, none), close: () => {} };
  const level = h('i'),
    bar = h('.bar.level', { role: 'presentation', hidden: true }, level),
    time = h('span.soft'),
    said = h('span.soft', { role: 'status' });
  let stop = null,
    over = false;
  const button = h('button.main', { id: 'record', click: () => (stop ? end() : busy(button, begin)) }, 'Record');
  async function begin() {
    const stopping = await record((loudest, seconds) => {
      level.style.width = percent(Math.sqrt(loudest));
      time.textContent = `${seconds.toFixed(1)} s`;
      if (seconds >= LONGEST && stop) end();
    });
    if (over) {
      stopping();
      return;
    }
    stop = stopping;
    bar.hidden = false;
    button.textContent = 'Stop and judge';
    said.textContent = `Recording (at most ${LONGEST} seconds).`;
  }
  function end() {
    const made = stop;
    stop = null;
    button.textContent = 'Record';
    said.textContent = '';
    time.textContent = '';
    bar.hidden = true;
    const file = made();
    busy(button, async () => {
      if (!file) throw new Error('The microphone gave no sound. Record for a little longer.');
      await take(file);
    });
  }
  return {
    element: h('div', {}, h('.row', {}, button, time, said), bar),
    close() {
      over = true;
      stop?.();
    },
  };
}

export async function page(place, name) {
  const run = await get(runPath(name)),
    model = await get(runPath(name, '/model')),
    turn = turns();
  place.append(
    h('h1', {}, 'Judge a recording'),
    h('p.soft', {}, `${name}: is a sound like those that it learned (${run.data}), and which class is it?`),
    tabs(name, run, 'Judge a recording'),
  );
  if (!model.detector) {
    place.append(h('p.note', {}, `This model has no detector: ${model.no_detector}.`));
    return undefined;
  }
  const result = h('section.card', {}, h('h2', {}, 'Verdict'), h('p.soft', {}, 'Record or drop a sound, then see the verdict here.')),
    kinds = h(
      'select.kind',
      { id: 'said', change: () => last && judge(last) },
      h('option', { value: '' }, 'none'),
      model.classes.map((c) => h('option', { value: c }, c)),
    ),
    alarm = h('input', { id: 'alarm', type: 'number', min: 0.001, max: 0.5, step: 'any', value: 0.05, change: () => last && judge(last) });
  let last = null;

  async function judge(file) {
    const isNewest = turn(),
      given = kinds.value;
    result.replaceChildren(h('h2', {}, 'Verdict'), h('p.soft', { role: 'status' }, 'Listening …'));
    try {
      if (file.size > LARGEST) throw new Error(`At most ${LARGEST / 1e6} MB can be judged here: cut out the part to judge.`);
      const query = new URLSearchParams({ kind: given, alarm: alarm.value });
      const answer = await send(runPath(name, `/sounds/judge?${query}`), file, 'application/octet-stream');
      const found = await answer.json();
      if (!isNewest()) return;
      result.replaceChildren(...verdict(found, given, name));
      const title = result.querySelector('h2');
      title.focus({ preventScroll: true });
      title.scrollIntoView({ block: 'nearest' });
    } catch (error) {
      if (isNewest()) result.replaceChildren(h('h2', {}, 'Verdict'), h('p.error', { role: 'alert' }, error.message));
    }
  }
  async function take(file) {
    last = await readable(file);
    await judge(last);
  }
  const listening = microphone(take);
  place.append(
    h(
      '.grid.wide.judged',
      {},
      h(
        'section.card',
        {},
        h('h2', {}, 'Your recording'),
        h('p.soft', {}, `A single sound like the training sounds; anything beyond ${model.seconds.toFixed(2)} s is cut off. It stays on the studio’s machine and is not stored.`),
        listening.element,
        dropZone(`Drop a sound file here, or choose one (up to ${model.longest} s).`, take, FORMATS),
        model.classes.length ? h('.row', {}, h('label', { for: 'said' }, 'Labelled as class', kinds)) : null,
        h('.row', {}, h('label', { for: 'alarm' }, 'Share of usual sounds that may be called odd', alarm)),
      ),
      result,
    ),
  );
  return listening.close;
}
