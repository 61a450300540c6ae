// The generator in the visitor's browser: no server computes anything.
import * as ort from './ort.wasm.bundle.min.mjs';

const $ = (id) => document.getElementById(id);
const TILES = 24, COLUMNS = 8, INK = 0.25;
let card, latents, session, kind = 0, stations = [0, 1], busy = Promise.resolve();

const latent = (seed) => latents.subarray(seed * card.latent_dim, (seed + 1) * card.latent_dim);

/** Latent vectors and class numbers -> one Float32Array [C*H*W] in [-1, 1] each. Calls queue up: one at a time. */
function generate(vectors, labels) {
  return (busy = busy.catch(() => 0).then(async () => {
    const n = vectors.length, z = new Float32Array(n * card.latent_dim);
    vectors.forEach((v, i) => z.set(v, i * card.latent_dim));
    const feeds = { z: new ort.Tensor('float32', z, [n, card.latent_dim]) };
    if (card.classes.length) feeds.labels = new ort.Tensor('int64', BigInt64Array.from(labels.map(BigInt)), [n]);
    const { images } = await session.run(feeds);
    const size = images.data.length / n;
    return Array.from({ length: n }, (_, i) => images.data.slice(i * size, (i + 1) * size));
  }));
}

const draw = (seeds, labels) => generate(seeds.map(latent), labels);

/** The level 0..255 of a value in [-1, 1], rounded as Python does. */
const level = (v) => Math.round((Math.min(1, Math.max(-1, v)) + 1) * 127.5);

function paint(context, picture, left, top, from = 0, to = card.size) {
  const { size, channels } = card, data = context.createImageData(to - from, size), area = size * size;
  for (let y = 0; y < size; y++) for (let x = from; x < to; x++) {
    const at = 4 * (y * (to - from) + x - from), p = y * size + x;
    for (let c = 0; c < 3; c++) data.data[at + c] = level(picture[(channels > 1 ? c : 0) * area + p]);
    data.data[at + 3] = 255;
  }
  context.putImageData(data, left, top);
}

/** Along the great circle from a to b, and evenly in length. */
function slerp(a, b, t) {
  const norm = (v) => Math.hypot(...v), la = norm(a), lb = norm(b);
  const angle = Math.acos(Math.min(1, Math.max(-1, a.reduce((s, v, i) => s + v * b[i], 0) / (la * lb))));
  if (Math.abs(Math.sin(angle)) < 1e-4) return a.map((v, i) => (1 - t) * v + t * b[i]);
  const [wa, wb] = [Math.sin((1 - t) * angle), Math.sin(t * angle)].map((w) => w / Math.sin(angle));
  const length = (1 - t) * la + t * lb;
  return a.map((v, i) => (wa * v / la + wb * b[i] / lb) * length);
}

const shown = () => {
  const first = Math.min(card.seeds - 1, Math.max(0, Math.floor(Number($('seed').value) || 0)));
  return Array.from({ length: TILES }, (_, i) => (first + i) % card.seeds);
};
const classOf = (i) => (kind === 'all' ? i % card.classes.length : kind);

async function showSheet() {
  const pictures = await draw(shown(), shown().map((_, i) => classOf(i))), context = $('sheet').getContext('2d');
  pictures.forEach((p, i) => paint(context, p, (i % COLUMNS) * card.size, Math.floor(i / COLUMNS) * card.size));
  document.body.dataset.ready = 'yes';
}

async function showStep() {
  const [a, b] = stations, t = Number($('share').value);
  const name = card.classes.length ? `, class ${card.classes[kind === 'all' ? 0 : kind]}` : '';
  $('way').textContent = `From seed ${a} to seed ${b}${name}. Click two pictures above to walk between others.`;
  const [picture] = await generate([slerp(latent(a), latent(b), t)], [kind === 'all' ? 0 : kind]);
  paint($('step').getContext('2d'), picture, 0, 0);
}

let hand = 0;
async function write() {
  const text = $('text').value, names = [...card.classes].sort((a, b) => b.length - a.length), found = [];
  for (let at = 0; at < text.length;) {
    const name = names.find((n) => text.startsWith(n, at)) ?? text[at];
    found.push(card.classes.indexOf(name)); // -1: a gap
    at += name.length;
  }
  const asked = found.filter((k) => k >= 0);
  if (!asked.length) return;
  const any = asked.map((_, i) => (hand * 37 + i * 101 + 13) % card.seeds);
  const drawn = await draw(any, asked), { size, channels } = card, area = size * size, gap = Math.max(1, Math.floor(size / 9));
  const edge = drawn.flatMap((p) => [...p.subarray(0, size), ...p.subarray(area - size, area)]).sort((a, b) => a - b);
  const paper = edge[edge.length >> 1];
  let width = gap;
  const cells = found.map((k) => {
    if (k < 0) return { width: size >> 1 };
    const picture = drawn.shift();
    let from = size, to = 0;
    for (let p = 0; p < channels * area; p++) if (Math.abs(picture[p] - paper) > INK) {
      from = Math.min(from, p % size); to = Math.max(to, p % size + 1);
    }
    if (from >= to) [from, to] = [0, size];
    return { picture, from, to, width: to - from };
  }).map((cell) => { const left = width; width += cell.width + gap; return { ...cell, left }; });
  const canvas = $('written'), context = canvas.getContext('2d');
  [canvas.width, canvas.height] = [width, size];
  canvas.style.height = `${Math.max(56, size)}px`;
  context.fillStyle = `rgb(${Array(3).fill(level(paper)).join()})`;
  context.fillRect(0, 0, width, size);
  cells.forEach((c) => c.picture && paint(context, c.picture, c.left, 0, c.from, c.to));
}

function choose(value) {
  kind = value;
  document.querySelectorAll('#classes button').forEach((b) => b.setAttribute('aria-pressed', b.value === String(value)));
  return Promise.all([showSheet(), showStep()]);
}

async function play() {
  const button = $('play'), go = button.getAttribute('aria-pressed') !== 'true';
  button.setAttribute('aria-pressed', go);
  button.textContent = go ? 'Stop' : 'Play';
  while (button.getAttribute('aria-pressed') === 'true') {
    const t = Number($('share').value) + 0.02;
    if (t > 1) { stations = [stations[1], Math.floor(Math.random() * card.seeds)]; $('share').value = 0; }
    else $('share').value = t;
    await showStep();
    await new Promise(requestAnimationFrame);
  }
}

function connect() {
  $('seed').max = card.seeds - 1;
  [$('sheet').width, $('sheet').height] = [COLUMNS * card.size, (TILES / COLUMNS) * card.size];
  [$('step').width, $('step').height] = [card.size, card.size];
  for (const [value, name] of card.classes.length ? [['all', 'all'], ...card.classes.map((n, i) => [i, n])] : []) {
    const button = Object.assign(document.createElement('button'), { textContent: name, value });
    button.onclick = () => choose(value);
    $('classes').append(button);
  }
  $('seed').onchange = showSheet;
  $('next').onclick = () => { $('seed').value = (shown()[0] + TILES) % card.seeds; showSheet(); };
  $('random').onclick = () => { $('seed').value = Math.floor(Math.random() * card.seeds); showSheet(); };
  $('sheet').onclick = (event) => {
    const box = $('sheet').getBoundingClientRect(), side = box.width / COLUMNS;
    const i = Math.floor((event.clientY - box.top) / side) * COLUMNS + Math.floor((event.clientX - box.left) / side);
    stations = [stations[1], shown()[Math.min(TILES - 1, i)]];
    $('share').value = 0;
    showStep();
  };
  $('share').oninput = showStep;
  $('play').onclick = play;
  if (card.classes.length) {
    $('writing').hidden = false;
    const digits = card.classes.join('') === '0123456789';
    $('ask').textContent = digits ? 'A number' : 'Text';
    $('text').value = digits ? new Date().toISOString().slice(0, 10).replaceAll('-', ' ') : card.classes.slice(0, 3).join(' ');
    $('text').oninput = write;
    $('hand').onclick = () => { hand++; write(); };
    $('save').onclick = () => {
      Object.assign(document.createElement('a'), { href: $('written').toDataURL(), download: 'written.png' }).click();
    };
  }
}

async function start() {
  if (location.protocol === 'file:') throw Error('Browsers run this page only from a web server: python -m http.server');
  const fetched = async (name) => {
    const answer = await fetch(name);
    if (!answer.ok) throw Error(`${name} is missing beside this page (${answer.status})`);
    return answer;
  };
  ort.env.wasm.numThreads = 1; // more would need headers that static hosts do not send
  ort.env.wasm.wasmPaths = { wasm: new URL('ort-wasm-simd-threaded.wasm', location.href).href };
  const model = fetched('generator.onnx').then((a) => a.arrayBuffer());
  const table = fetched('latents.bin').then((a) => a.arrayBuffer());
  card = await (await fetched('model.json')).json();
  latents = new Float32Array(await table);
  session = await ort.InferenceSession.create(await model, { executionProviders: ['wasm'] });
  document.title = $('title').textContent = card.title;
  $('about').textContent = card.about;
  $('main').hidden = false;
  connect();
  await choose(card.classes.length ? 'all' : 0);
  if (card.classes.length) await write();
}

window.ganvas = { draw, get card() { return card; } };
start().catch((error) => {
  $('about').hidden = true;
  $('error').hidden = false;
  $('error').textContent = `The generator could not be loaded: ${error.message ?? error}`;
});
