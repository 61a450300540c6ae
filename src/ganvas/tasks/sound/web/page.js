// The generator of sounds in the visitor's browser: no server computes anything.
import * as ort from './ort.wasm.bundle.min.mjs';

const $ = (id) => document.getElementById(id);
const KEYS = 'qwertyuiasdfghjk', COUNT = KEYS.length;
let card, latents, generator, decoder, audio, kind = 0, stations = [0, 1], busy = Promise.resolve(), shown = [], last = null;

const latent = (seed) => latents.subarray(seed * card.latent_dim, (seed + 1) * card.latent_dim);

/** Calls queue up: the runtime does one thing at a time. */
const queued = (work) => (busy = busy.catch(() => 0).then(work));

/** Latent vectors and class numbers -> a spectrogram Float32Array [bands * frames] in [-1, 1] each. */
const draw = (vectors, labels) => queued(async () => {
  const n = vectors.length, z = new Float32Array(n * card.latent_dim);
  vectors.forEach((v, i) => z.set(v, i * card.latent_dim));
  const feeds = { z: new ort.Tensor('float32', z, [n, card.latent_dim]) };
  if (card.classes.length) feeds.labels = new ort.Tensor('int64', BigInt64Array.from(labels.map(BigInt)), [n]);
  const { spectrograms } = await generator.run(feeds);
  const size = card.bands * card.frames;
  return Array.from({ length: n }, (_, i) => spectrograms.data.slice(i * size, (i + 1) * size));
});

/** A spectrogram -> its wave, Float32Array [samples]. */
const decode = (spectrogram) => queued(async () => {
  const shape = [1, 1, card.bands, card.frames];
  return (await decoder.run({ spectrograms: new ort.Tensor('float32', spectrogram, shape) })).waves.data;
});

function paint(canvas, spectrogram) {
  [canvas.width, canvas.height] = [card.frames, card.bands];
  const context = canvas.getContext('2d'), data = context.createImageData(card.frames, card.bands);
  for (let b = 0; b < card.bands; b++) for (let t = 0; t < card.frames; t++) {
    const v = (spectrogram[b * card.frames + t] + 1) / 2, at = 4 * ((card.bands - 1 - b) * card.frames + t);
    data.data.set([255 * Math.min(1, 1.6 * v * v + 0.3 * v), 255 * v * v * v * v + 110 * v * v, 90 * Math.sin(Math.PI * v), 255], at);
  }
  context.putImageData(data, 0, 0);
}

function sound(wave) {
  audio ??= new AudioContext();
  const buffer = audio.createBuffer(1, wave.length, card.rate), source = audio.createBufferSource();
  buffer.copyToChannel(wave, 0);
  source.buffer = buffer;
  source.connect(audio.destination);
  source.start();
  document.body.dataset.played = Number(document.body.dataset.played ?? 0) + 1;
}

async function play(i) {
  const one = shown[i];
  if (!one) return;
  one.wave ??= await decode(one.spectrogram);
  last = one;
  $('save').disabled = false;
  const button = $('keys').children[i];
  button.classList.add('on');
  setTimeout(() => button.classList.remove('on'), 1000 * card.samples / card.rate);
  if (stations[1] !== one.seed) stations = [stations[1], one.seed];
  tell();
  sound(one.wave);
}

const classOf = (i) => (kind === 'all' ? i % card.classes.length : kind);
const first = () => Math.min(card.seeds - 1, Math.max(0, Math.floor(Number($('seed').value) || 0)));

async function show() {
  const seeds = Array.from({ length: COUNT }, (_, i) => (first() + i) % card.seeds), labels = seeds.map((_, i) => classOf(i));
  const drawn = await draw(seeds.map(latent), labels);
  shown = drawn.map((spectrogram, i) => ({ spectrogram, seed: seeds[i], label: labels[i] }));
  shown.forEach((one, i) => {
    const [canvas, words] = $('keys').children[i].children;
    paint(canvas, one.spectrogram);
    words.textContent = `${KEYS[i]}: ${card.classes.length ? `${card.classes[one.label]}, ` : ''}seed ${one.seed}`;
  });
  document.body.dataset.ready = 'yes';
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

function tell() {
  const name = card.classes.length ? `, class ${card.classes[kind === 'all' ? 0 : kind]}` : '';
  $('way').textContent = `From seed ${stations[0]} to seed ${stations[1]}${name}: the last two that you played.`;
}

async function listen() {
  const [a, b] = stations, label = kind === 'all' ? 0 : kind;
  const [spectrogram] = await draw([slerp(latent(a), latent(b), Number($('share').value))], [label]);
  last = { wave: await decode(spectrogram), seed: `${a}-${b}`, label };
  $('save').disabled = false;
  sound(last.wave);
}

/** A wave as a WAV file of 16 bits. */
function wav(wave) {
  const view = new DataView(new ArrayBuffer(44 + 2 * wave.length)), text = (at, s) => [...s].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, 'RIFF'); view.setUint32(4, 36 + 2 * wave.length, true); text(8, 'WAVEfmt '); view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); view.setUint16(22, 1, true); view.setUint32(24, card.rate, true);
  view.setUint32(28, 2 * card.rate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, 'data'); view.setUint32(40, 2 * wave.length, true);
  wave.forEach((v, i) => view.setInt16(44 + 2 * i, Math.round(32767 * Math.min(1, Math.max(-1, v))), true));
  return new Blob([view], { type: 'audio/wav' });
}

function choose(value) {
  kind = value;
  document.querySelectorAll('#classes button').forEach((b) => b.setAttribute('aria-pressed', b.value === String(value)));
  tell();
  return show();
}

function connect() {
  $('seed').max = card.seeds - 1;
  for (const [value, name] of card.classes.length ? [['all', 'all'], ...card.classes.map((n, i) => [i, n])] : []) {
    const button = Object.assign(document.createElement('button'), { textContent: name, value });
    button.onclick = () => choose(value);
    $('classes').append(button);
  }
  for (let i = 0; i < COUNT; i++) {
    const button = document.createElement('button');
    button.append(document.createElement('canvas'), document.createElement('span'));
    button.onclick = () => play(i);
    $('keys').append(button);
  }
  document.onkeydown = (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === 'INPUT') return;
    const i = KEYS.indexOf(event.key);
    if (i >= 0 && event.key.length === 1) play(i);
  };
  $('seed').onchange = show;
  $('next').onclick = () => { $('seed').value = (first() + COUNT) % card.seeds; show(); };
  $('random').onclick = () => { $('seed').value = Math.floor(Math.random() * card.seeds); show(); };
  $('listen').onclick = listen;
  $('share').onchange = listen;
  $('save').onclick = () => {
    const name = card.classes.length ? `-${last.label}` : '', href = URL.createObjectURL(wav(last.wave));
    Object.assign(document.createElement('a'), { href, download: `sound-${last.seed}${name}.wav` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
  };
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
  const [model, back, table] = ['generator.onnx', 'waves.onnx', 'latents.bin'].map((name) => fetched(name).then((a) => a.arrayBuffer()));
  card = await (await fetched('model.json')).json();
  latents = new Float32Array(await table);
  generator = await ort.InferenceSession.create(await model, { executionProviders: ['wasm'] });
  decoder = await ort.InferenceSession.create(await back, { executionProviders: ['wasm'] });
  document.title = $('title').textContent = card.title;
  $('about').textContent = card.about;
  $('main').hidden = false;
  connect();
  await choose(card.classes.length ? 'all' : 0);
}

window.ganvas = { draw, decode, get card() { return card; }, get shown() { return shown; } };
start().catch((error) => {
  $('about').hidden = true;
  $('error').hidden = false;
  $('error').textContent = `The generator could not be loaded: ${error.message ?? error}`;
});
