// What the pages of all exported generators share: loading, drawing one thing after the other, classes, the way between.
import * as ort from './ort.wasm.bundle.min.mjs';

export const $ = (id) => document.getElementById(id);
export let card, latents;
let generator, busy = Promise.resolve();

export const latent = (seed) => latents.subarray(seed * card.latent_dim, (seed + 1) * card.latent_dim);

/** Calls queue up: the runtime does one thing at a time. */
export const queued = (work) => (busy = busy.catch(() => 0).then(work));

/** Latent vectors and class numbers -> what the generator draws of each, a Float32Array in [-1, 1]. */
export const generate = (vectors, labels) => queued(async () => {
  const n = vectors.length, z = new Float32Array(n * card.latent_dim);
  vectors.forEach((v, i) => z.set(v, i * card.latent_dim));
  const feeds = { z: new ort.Tensor('float32', z, [n, card.latent_dim]) };
  if (card.classes.length) feeds.labels = new ort.Tensor('int64', BigInt64Array.from(labels.map(BigInt)), [n]);
  const { data } = (await generator.run(feeds))[generator.outputNames[0]], size = data.length / n;
  return Array.from({ length: n }, (_, i) => data.slice(i * size, (i + 1) * size));
});

/** Along the great circle from a to b, and evenly in length. */
export function slerp(a, b, t) {
  const norm = (v) => Math.hypot(...v), la = norm(a), lb = norm(b);
  const angle = Math.acos(Math.min(1, Math.max(-1, a.reduce((s, v, i) => s + v * b[i], 0) / (la * lb))));
  if (Math.abs(Math.sin(angle)) < 1e-4) return a.map((v, i) => (1 - t) * v + t * b[i]);
  const [wa, wb] = [Math.sin((1 - t) * angle), Math.sin(t * angle)].map((w) => w / Math.sin(angle));
  const length = (1 - t) * la + t * lb;
  return a.map((v, i) => (wa * v / la + wb * b[i] / lb) * length);
}

/** The seeds of the first `count` samples that are shown. */
export function seeds(count) {
  const first = Math.min(card.seeds - 1, Math.max(0, Math.floor(Number($('seed').value) || 0)));
  return Array.from({ length: count }, (_, i) => (first + i) % card.seeds);
}

/** The class of the sample at place i, where `kind` is 'all' or a class. */
export const classOf = (kind, i) => (kind === 'all' ? i % card.classes.length : kind);

/** Mark the button of a class. */
export const press = (kind) =>
  document.querySelectorAll('#classes button').forEach((b) => b.setAttribute('aria-pressed', b.value === String(kind)));

/** Buttons for the classes, which call `choose`, and the fields of seeds, which call `show`, `count` samples a page. */
export function connect(choose, show, count) {
  $('seed').max = card.seeds - 1;
  for (const [value, name] of card.classes.length ? [['all', 'all'], ...card.classes.map((n, i) => [i, n])] : []) {
    const button = Object.assign(document.createElement('button'), { textContent: name, value });
    button.onclick = () => choose(value);
    $('classes').append(button);
  }
  $('seed').onchange = show;
  $('next').onclick = () => { $('seed').value = (seeds(1)[0] + count) % card.seeds; show(); };
  $('random').onclick = () => { $('seed').value = Math.floor(Math.random() * card.seeds); show(); };
}

/** A file of the page: from inside it where all is in one file, else a file next to it. */
export async function fetched(name) {
  const inside = $(`file:${name}`);
  if (inside) {
    const packed = await fetch(`data:;base64,${inside.textContent}`);
    return new Response(packed.body.pipeThrough(new DecompressionStream('gzip')));
  }
  const answer = await fetch(name);
  if (!answer.ok) throw Error(`${name} is missing next to this page (${answer.status})`);
  return answer;
}

/** The address of the runtime of the networks. */
async function runtime() {
  const name = 'ort-wasm-simd-threaded.wasm';
  if (!$(`file:${name}`)) return new URL(name, location.href).href;
  return URL.createObjectURL(new Blob([await (await fetched(name)).arrayBuffer()], { type: 'application/wasm' }));
}

/** Load the card, the latents and the networks, `generator.onnx` and others; then `begin` with the sessions of these. */
export async function start(others, begin) {
  try {
    if (location.protocol === 'file:' && !$('file:model.json')) throw Error('Browsers run this page only from a web server: python -m http.server');
    ort.env.wasm.numThreads = 1; // more would need headers that static hosts do not send
    ort.env.wasm.wasmPaths = { wasm: await runtime() };
    const [table, ...models] = ['latents.bin', 'generator.onnx', ...others].map((name) => fetched(name).then((a) => a.arrayBuffer()));
    card = await (await fetched('model.json')).json();
    latents = new Float32Array(await table);
    const sessions = [];
    for (const model of models) sessions.push(await ort.InferenceSession.create(await model, { executionProviders: ['wasm'] }));
    generator = sessions.shift();
    document.title = $('title').textContent = card.title;
    $('about').textContent = card.about;
    $('main').hidden = false;
    await begin(...sessions);
  } catch (error) {
    $('about').hidden = true;
    $('error').hidden = false;
    $('error').textContent = `The generator could not be loaded: ${error.message ?? error}`;
  }
}
