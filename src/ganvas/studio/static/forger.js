// The forger alone: pictures of any seed and class, a map of its latent space, a morph, and writing.
import { h, ask, get, picture, at, whole, say, busy, save } from './kit.js';
import { tabs } from './live.js';

const COLUMNS = 8;

/** Draws pictures from latent vectors: in the browser where the model can be had as ONNX, else by the server. */
class Painter {
  constructor(name, model) {
    this.name = name; this.model = model; this.session = null; this.busy = false; this.next = null; this.times = [];
  }

  /** Fetch the model for the browser (some MB, once). */
  async local() {
    const ort = await import('/static/ort/ort.wasm.bundle.min.mjs');
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = { wasm: '/static/ort/ort-wasm-simd-threaded.wasm' };
    const [net, table] = await Promise.all([
      ask(at(this.name, '/generator.onnx')).then((a) => a.arrayBuffer()),
      ask(`/api/latents?dim=${this.model.latent_dim}&count=1024`).then((a) => a.arrayBuffer())]);
    this.latents = new Float32Array(table);
    this.ort = ort;
    this.session = await ort.InferenceSession.create(net, { executionProviders: ['wasm'] });
  }

  latent(seed) { const d = this.model.latent_dim; return this.latents.subarray(seed * d, (seed + 1) * d); }

  /** The picture at a place between four seeds, on a canvas. Only the newest wish is granted while one is drawn. */
  paint(canvas, corners, x, y, kind) {
    this.next = [canvas, corners, x, y, kind];
    if (!this.busy) this.work();
  }

  async work() {
    this.busy = true;
    while (this.next) {
      const [canvas, corners, x, y, kind] = this.next;
      this.next = null;
      try {
        if (this.session && corners.every((c) => c < 1024)) await this.here(canvas, corners, x, y, kind);
        else await this.there(canvas, corners, x, y, kind);
        this.times.push(performance.now());
      } catch (error) {
        if (error.status === 429) await new Promise((r) => setTimeout(r, 300)); else say(error.message);
      }
    }
    this.busy = false;
  }

  async here(canvas, corners, x, y, kind) {
    const d = this.model.latent_dim, { size, channels, classes } = this.model;
    const weights = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], norm = Math.hypot(...weights);
    const z = new Float32Array(d);
    corners.forEach((c, i) => this.latent(c).forEach((v, j) => { z[j] += (weights[i] / norm) * v; }));
    const feeds = { z: new this.ort.Tensor('float32', z, [1, d]) };
    if (classes.length) feeds.labels = new this.ort.Tensor('int64', BigInt64Array.from([BigInt(Math.max(0, classes.indexOf(kind)))]), [1]);
    const { images } = await this.session.run(feeds), area = size * size;
    const data = new ImageData(size, size);
    for (let p = 0; p < area; p += 1) {
      for (let c = 0; c < 3; c += 1) data.data[4 * p + c] = Math.round((Math.min(1, Math.max(-1, images.data[(channels > 1 ? c : 0) * area + p])) + 1) * 127.5);
      data.data[4 * p + 3] = channels === 4 ? Math.round((images.data[3 * area + p] + 1) * 127.5) : 255;
    }
    canvas.width = canvas.height = size;
    canvas.getContext('2d').putImageData(data, 0, 0);
  }

  async there(canvas, corners, x, y, kind) {
    const image = await createImageBitmap(await (await ask(at(this.name, '/point'), { corners, x, y, kind })).blob());
    canvas.width = image.width; canvas.height = image.height;
    canvas.getContext('2d').drawImage(image, 0, 0);
  }

  /** Pictures of the last second. */
  rate() { const now = performance.now(); this.times = this.times.filter((t) => now - t < 1000); return this.times.length; }
}

export async function forger(place, name) {
  const run = await get(at(name)), model = await get(at(name, '/model')), classes = model.classes;
  const painter = new Painter(name, model);
  let first = 0, kind = classes.length ? null : null, url = '';

  // a sheet of pictures
  const sheet = h('img.sheet', { alt: '' }), told = h('p.soft', { 'aria-live': 'polite' });
  const kinds = h('select', { id: 'kind', change: () => { kind = kinds.value === 'all' ? null : kinds.value; draw(); move(); } },
    h('option', { value: 'all' }, 'all in turn'), classes.map((c) => h('option', { value: c }, c)));
  const seed = h('input', { id: 'seed', type: 'number', min: 0, value: 0, change: () => { first = Math.max(0, Math.floor(+seed.value || 0)); draw(); } });
  const count = h('select', { id: 'count', change: () => draw() }, [16, 64, 128].map((n) => h('option', { value: n, selected: n === 64 }, n)));
  const cut = h('input', { id: 'cut', type: 'range', min: 0.5, max: 4, step: 0.1, value: 4, change: () => draw() });
  const wish = () => ({ seeds: Array.from({ length: +count.value }, (_, i) => first + i), kind, truncation: +cut.value < 4 ? +cut.value : null, columns: COLUMNS });
  async function draw() {
    try {
      URL.revokeObjectURL(url);
      url = await picture(at(name, '/sheet'), wish());
      sheet.src = url;
      sheet.alt = `${count.value} pictures of the seeds from ${first} on${kind ? `, class ${kind}` : ''}`;
      told.textContent = `Seeds ${first} to ${first + +count.value - 1}. Click a picture to take it into the morph.`;
    } catch (error) { say(error.message); }
  }
  let second = false;
  sheet.addEventListener('click', (event) => {
    const box = sheet.getBoundingClientRect(), rows = Math.ceil(+count.value / COLUMNS);
    const i = Math.floor(((event.clientX - box.left) / box.width) * COLUMNS) + COLUMNS * Math.floor(((event.clientY - box.top) / box.height) * rows);
    (second ? to : from).value = first + Math.min(+count.value - 1, i);
    say(`Seed ${first + i} is now the ${second ? 'end' : 'beginning'} of the morph.`);
    second = !second;
    morph();
  });

  // the map
  const corners = [1, 2, 3, 4], spot = h('i'), big = h('canvas.big', { width: model.size, height: model.size, role: 'img', 'aria-label': 'The picture at this place of the map' });
  const rate = h('p.soft', {}, 'Drag, or use the arrow keys.');
  let x = 0.5, y = 0.5;
  const map = h('.map', { tabindex: 0, role: 'slider', 'aria-label': 'Map of the latent space between four seeds', 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': 50,
    pointerdown: (event) => { map.setPointerCapture(event.pointerId); drag(event); }, pointermove: (event) => event.buttons && drag(event),
    keydown: (event) => {
      const step = { ArrowLeft: [-0.04, 0], ArrowRight: [0.04, 0], ArrowUp: [0, -0.04], ArrowDown: [0, 0.04] }[event.key];
      if (!step) return;
      event.preventDefault();
      [x, y] = [x + step[0], y + step[1]];
      move();
    } }, corners.map((c) => h('b', {}, `seed ${c}`)), spot);
  const drag = (event) => { const box = map.getBoundingClientRect(); [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]; move(); };
  function move() {
    [x, y] = [x, y].map((v) => Math.min(1, Math.max(0, v)));
    spot.style.left = `${100 * x}%`; spot.style.top = `${100 * y}%`;
    map.setAttribute('aria-valuenow', Math.round(100 * x));
    map.setAttribute('aria-valuetext', `${Math.round(100 * x)}% to the right, ${Math.round(100 * y)}% down`);
    painter.paint(big, corners, x, y, kind ?? classes[0] ?? null);
  }
  const others = h('button', { click: () => {
    corners.forEach((_, i) => { corners[i] = Math.floor(Math.random() * 1024); });
    map.querySelectorAll('b').forEach((b, i) => { b.textContent = `seed ${corners[i]}`; });
    move();
  } }, 'Other corners');
  const quick = h('button', { id: 'local', click: () => busy(quick, async () => {
    await painter.local();
    say('Now this browser draws.');
    quick.hidden = true;
    move(); morph();
  }) }, 'Draw in this browser (about 4 MB)');
  const timer = setInterval(() => { if (painter.times.length) rate.textContent = `${painter.rate()} pictures in the last second, drawn ${painter.session ? 'in this browser' : 'by the server'}.`; }, 500);

  // the morph
  const from = h('input', { id: 'from', type: 'number', min: 0, value: 0, change: () => morph() }), to = h('input', { id: 'to', type: 'number', min: 0, value: 1, change: () => morph() });
  const way = h('input', { id: 'way', type: 'range', min: 0, max: 1, step: 0.01, value: 0.5, 'aria-label': 'Place between the two pictures', input: () => morph() });
  const between = h('canvas.big', { width: model.size, height: model.size, role: 'img', 'aria-label': 'The picture between the two' }), walker = new Painter(name, model);
  const morph = () => {
    walker.session = painter.session; walker.latents = painter.latents; walker.ort = painter.ort;
    const [a, b] = [from, to].map((i) => Math.max(0, Math.floor(+i.value || 0)));
    walker.paint(between, [a, b, a, b], +way.value, 0, kind ?? classes[0] ?? null);
  };

  // writing
  const some = model.writes ? ['2', '0', '2', '6'].every((c) => classes.includes(c)) ? '2026' : classes.slice(0, 4).join('') : '';
  const text = h('input', { id: 'text', value: some, maxlength: 60, class: 'grow' }), hand = h('input', { id: 'hand', type: 'number', min: 0, value: 0 });
  const written = h('img.written', { alt: '' });
  const write = async () => {
    if (!text.value) return;
    written.src = await picture(at(name, '/write'), { text: text.value, seed: Math.max(0, +hand.value || 0) });
    written.alt = `“${text.value}”, written by the forger`;
  };
  const go = h('button', { click: () => busy(go, write) }, 'Write');

  place.append(h('h1', {}, 'The forger'), h('p.soft', {}, `${name}: it has never seen a picture; it learned from the expert’s objections alone. ${whole(model.images)} images.`), tabs(name, run, 'Forger'),
    h('.grid.wide', {}, h('section.card', {}, h('h2', {}, 'Pictures'), h('.row', {},
      classes.length ? h('label', { for: 'kind' }, 'Class', kinds) : null, h('label', { for: 'seed' }, 'First seed', seed), h('label', { for: 'count' }, 'Pictures', count),
      h('button', { click: () => { first += +count.value; seed.value = first; draw(); } }, 'More')),
    h('.row', {}, h('label.grow', { for: 'cut' }, 'Fewer odd ones', cut, 'more variety')), sheet, told,
    h('.row', {}, h('button', { click: () => save(url, `${name}-seed${first}.png`) }, 'PNG'),
      h('button', { id: 'zip', click: async () => { try { save(URL.createObjectURL(await (await ask(at(name, '/zip'), wish())).blob()), `${name}-seed${first}.zip`); } catch (e) { say(e.message); } } }, 'Zip of PNGs'))),
    h('div', {}, h('section.card', {}, h('h2', {}, 'A map to drag through'), h('.row', {}, map, big), rate, h('.row', {}, others, quick)), h('.row'),
      h('section.card', {}, h('h2', {}, 'From one picture to another'), h('.row', {}, h('label', { for: 'from' }, 'From seed', from), h('label', { for: 'to' }, 'to', to)), between, way))),
    model.writes ? h('section.card', {}, h('h2', {}, 'Write'), h('.row', {}, h('label.grow', { for: 'text' }, 'Text', text), h('label', { for: 'hand' }, 'Hand', hand), go,
      h('button', { click: () => written.src && save(written.src, `${text.value}.png`) }, 'PNG')), written) : null);
  await draw();
  move(); morph();
  if (model.writes) write().catch((e) => say(e.message));
  return () => clearInterval(timer);
}
