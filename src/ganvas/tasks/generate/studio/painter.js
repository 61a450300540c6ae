// Pictures at positions between seeds, many a second.
import { send, runPath, say } from '/static/dom.js';

const TABLE = 1024; // seeds whose latent vectors the browser has
const BUSY = 300; // milliseconds before a busy server is tried again

/** Load the generator in this browser: once, for all painters of a page. */
export async function local(name, model) {
  const ort = await import('/static/ort/ort.wasm.bundle.min.mjs');
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { wasm: '/static/ort/ort-wasm-simd-threaded.wasm' };
  const load = (path) => send(path).then((answer) => answer.arrayBuffer());
  const [net, table] = await Promise.all([
    load(runPath(name, `/generator.onnx?${model.mark}`)),
    load(`/api/latents?dim=${model.latent_dim}&count=${TABLE}`),
  ]);
  const session = await ort.InferenceSession.create(net, { executionProviders: ['wasm'] });
  return { ort, session, latents: new Float32Array(table) };
}

/** Draws on a canvas: in the browser where it has the generator, else by the server. */
export class Painter {
  constructor(name, model, canvas) {
    Object.assign(this, { name, model, canvas, local: null, busy: false, over: false, next: null, times: [] });
  }

  /** Paint the position between four seeds and their classes. While one is drawn, only the newest request counts. */
  paint(corners, kinds, x, y) {
    this.next = { corners, kinds, x, y };
    if (!this.busy) this.work();
  }

  async work() {
    this.busy = true;
    while (this.next) {
      const request = this.next;
      this.next = null;
      try {
        const oneClass = new Set(request.kinds).size <= 1; // the exported network takes one class
        if (this.local && oneClass && request.corners.every((seed) => seed < TABLE)) await this.paintLocally(request);
        else await this.paintByServer(request);
        this.times.push(performance.now());
      } catch (error) {
        if (this.over) return;
        if (error.status === 429) {
          await new Promise((resolve) => setTimeout(resolve, BUSY));
          this.next ??= request;
        } else say(error.message);
      }
    }
    this.busy = false;
  }

  async paintLocally({ corners, kinds, x, y }) {
    const { ort, session, latents } = this.local,
      { size, channels, classes, latent_dim: dim } = this.model;
    const weights = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y],
      norm = Math.hypot(...weights);
    const z = new Float32Array(dim);
    corners.forEach((seed, i) => {
      for (let j = 0; j < dim; j += 1) z[j] += (weights[i] / norm) * latents[seed * dim + j];
    });
    const feeds = { z: new ort.Tensor('float32', z, [1, dim]) };
    if (classes.length) {
      const number = BigInt(Math.max(0, classes.indexOf(kinds[0])));
      feeds.labels = new ort.Tensor('int64', BigInt64Array.from([number]), [1]);
    }
    const { images } = await session.run(feeds);
    const data = new ImageData(size, size),
      area = size * size;
    const level = (c, p) => Math.round((Math.min(1, Math.max(-1, images.data[c * area + p])) + 1) * 127.5);
    for (let p = 0; p < area; p += 1) {
      for (let c = 0; c < 3; c += 1) data.data[4 * p + c] = level(channels > 1 ? c : 0, p);
      data.data[4 * p + 3] = channels === 4 ? level(3, p) : 255;
    }
    this.canvas.width = this.canvas.height = size;
    this.canvas.getContext('2d').putImageData(data, 0, 0);
  }

  async paintByServer({ corners, kinds, x, y }) {
    const body = { corners, x, y, kinds: kinds.length ? kinds : null };
    const image = await createImageBitmap(await (await send(runPath(this.name, '/point'), body)).blob());
    this.canvas.width = image.width;
    this.canvas.height = image.height;
    this.canvas.getContext('2d').drawImage(image, 0, 0);
  }

  close() {
    this.over = true;
    this.next = null;
  }

  /** Pictures of the last second. */
  rate() {
    const now = performance.now();
    this.times = this.times.filter((time) => now - time < 1000);
    return this.times.length;
  }
}
