// A model applied to pictures.
import { penOn } from './pen.js';
import { split } from './split.js';
import { unlike, zip } from './zip.js';
import { h, send, get, runPath, say, busy, save, dropZone, turns } from './dom.js';

const BRUSH = 120; // one step of the brush's width is the picture's width divided by this

/** A picture to paint on; `mask()` gives what was painted as a PNG, null where nothing was. */
async function painting(blob, submit) {
  const url = URL.createObjectURL(blob),
    image = h('img', { src: url, alt: 'Your picture' });
  try {
    await image.decode();
  } catch {
    throw new Error('The browser cannot show that file as a picture.');
  }
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  const canvas = h('canvas', { width, height, role: 'img', 'aria-label': 'Paint over what is missing' });
  const wide = h('input', { id: 'wide', type: 'range', min: 1, max: 12, value: 4 });
  let touched = false;
  const pen = penOn(canvas, (context) => {
    context.strokeStyle = '#f33';
    context.lineWidth = (width * wide.value) / BRUSH;
    touched = true;
  });
  const wipe = () => {
    pen.clearRect(0, 0, width, height);
    touched = false;
  };
  const mask = () => {
    if (!touched) return null;
    const made = h('canvas', { width, height }),
      ink = made.getContext('2d');
    ink.drawImage(canvas, 0, 0);
    for (const [operation, fill] of [
      ['source-in', '#fff'],
      ['destination-over', '#000'],
    ]) {
      ink.globalCompositeOperation = operation;
      ink.fillStyle = fill;
      ink.fillRect(0, 0, width, height);
    }
    return new Promise((done) => {
      made.toBlob(done, 'image/png');
    });
  };
  const go = h('button.main', { id: 'fill', click: () => busy(go, async () => submit(await mask())) }, 'Fill');
  return h(
    'section.card',
    {},
    h('h2', {}, 'Paint over what is missing'),
    h('.paint', {}, image, canvas),
    h('.row', {}, h('label.grow', { for: 'wide' }, 'Brush', wide), h('button', { click: wipe }, 'Clear'), go),
    h('p.soft', {}, 'Without painting, the transparent parts of the picture are filled.'),
  );
}

/** The bytes of a data URL. */
function blobOf(url) {
  const [head, body] = url.split(','),
    text = atob(body);
  return new Blob([Uint8Array.from(text, (c) => c.charCodeAt(0))], { type: head.slice(5).split(';')[0] });
}

const ENDS = { jpeg: 'jpg', png: 'png' };
/** What a restored file is called: `old.jpeg` becomes `old-restored.jpg`. */
const named = (file, form) => `${(file.name ?? 'picture').replace(/\.[^.]*$/, '')}-restored.${ENDS[form]}`;

/** One picture's card, before it is restored and after. */
function card(file, model) {
  const head = h('h2', { tabindex: -1 }, file.name ?? 'Your picture'),
    body = h('.stack', {}, h('p.soft', {}, 'Waiting.'));
  const urls = [];
  return {
    element: h('section.card', {}, head, body),
    working: () => body.replaceChildren(h('p', { role: 'status' }, 'Working …')),
    fail: (error) => body.replaceChildren(h('p.error', { role: 'alert' }, error.message)),
    /** Show the result; returns its name and content. */
    show(done) {
      const blob = blobOf(done.after),
        name = named(file, done.form);
      urls.push(URL.createObjectURL(blob), URL.createObjectURL(blobOf(done.before)));
      const [after, before] = urls;
      const keep = h('button.keep', { click: () => save(after, name) }, `Download ${done.form.toUpperCase()}`);
      body.replaceChildren(
        split(before, after, model.squares, keep),
        ...done.warnings.map((text) => h('p.note.level1', {}, text)),
      );
      head.focus({ preventScroll: true });
      return [name, blob];
    },
    close: () => urls.forEach((url) => URL.revokeObjectURL(url)),
  };
}

export async function restore(place, chosen) {
  const { runs, models } = await get('/api/runs'),
    usable = [...runs, ...models].filter((run) => run.abilities.includes('apply') && run.model);
  place.append(h('h1', {}, 'Restore'));
  if (!usable.length) {
    place.append(
      h('p', {}, 'No model here restores pictures yet. Train one: a dozen photos of your own are enough.'),
      h('p', {}, h('a.button.main.owner', { href: '#/new?recipe=denoise' }, 'Train one')),
    );
    return undefined;
  }
  const turn = turns();
  const options = usable.map((run) =>
    h('option', { value: run.name, selected: run.name === chosen }, run.title ?? `${run.name} (${run.recipe})`),
  );
  const pick = h('select', { id: 'model', change: () => loadModel().catch((error) => say(error.message)) }, options);
  const way = h('select', { id: 'way', change: () => use(files) }, h('option', { value: 'b' }), h('option', { value: 'a' }));
  const about = h('p.soft'),
    into = h('label', { for: 'way' }, 'Turn into', way),
    paint = h('div'),
    all = h('div'),
    bench = h('.stack', { 'aria-live': 'polite' });
  let model = null,
    files = [],
    cards = [];

  const hint = (text) => bench.replaceChildren(h('section.card', {}, h('p.soft', {}, text)));
  function clear() {
    cards.forEach((one) => one.close());
    cards = [];
    paint.replaceChildren();
    all.replaceChildren();
    bench.replaceChildren();
  }
  async function loadModel() {
    const isNewest = turn(),
      loaded = await get(runPath(pick.value, '/model'));
    if (!isNewest()) return;
    model = loaded;
    into.hidden = !model.kinds;
    if (model.kinds)
      [...way.options].forEach((option, i) => {
        option.textContent = model.kinds[1 - i];
      });
    about.textContent = model.about ?? '';
    if (files.length) await use(files);
    else hint('Drop a photo to see it before and after.');
  }
  /** Restore files, or let people paint over what is missing in the first. */
  async function use(given) {
    files = given;
    if (!files.length) return;
    clear();
    if (!model.masked) {
      await work(files, null);
      return;
    }
    if (files.length > 1) say('This model works on one picture at a time: the first is used.');
    const isNewest = turn();
    try {
      const made = await painting(files[0], (mask) => work(files.slice(0, 1), mask));
      if (!isNewest()) return;
      paint.replaceChildren(made);
      hint('Paint over what is missing, then choose Fill.');
    } catch (error) {
      if (isNewest()) bench.replaceChildren(h('section.card', {}, h('p.error', { role: 'alert' }, error.message)));
    }
  }
  /** Restore one file after another; a failed one does not stop the others. */
  async function work(given, mask) {
    const isNewest = turn(),
      done = [];
    cards.forEach((one) => one.close());
    cards = given.map((file) => card(file, model));
    bench.replaceChildren(...cards.map((one) => one.element));
    bench.scrollIntoView({ block: 'nearest' });
    for (const [i, one] of cards.entries()) {
      one.working();
      if (given.length > 1)
        all.replaceChildren(h('section.card', { role: 'status' }, `Picture ${i + 1} of ${given.length} …`));
      try {
        const path = runPath(pick.value, `/restore?to=${way.value}&mask=${mask?.size ?? 0}`);
        const body = mask ? new Blob([given[i], mask]) : given[i];
        const answer = await (await send(path, body, 'application/octet-stream')).json();
        if (!isNewest()) return;
        done.push(one.show(answer));
      } catch (error) {
        if (!isNewest()) return;
        one.fail(error);
      }
    }
    if (given.length > 1) all.replaceChildren(together(done, given.length));
  }
  const side = h(
    'section.card',
    {},
    dropZone('Drop photos here', use, 'image/*', true),
    h('.row', {}, h('label.grow', { for: 'model' }, 'Model', pick)),
    about,
    h('.row', {}, into),
  );
  place.append(
    h(
      'p.soft',
      {},
      'Your pictures stay on this machine. They can have up to 4,096 pixels a side; for larger ones use ganvas restore on the command line.',
    ),
    h('.grid.restore', {}, side, h('.stack', {}, paint, all, bench)),
  );
  await loadModel();
  return () => {
    turn();
    clear();
  };
}

/** How many of several pictures were restored, and a zip of them. */
function together(done, count) {
  const button = h(
    'button.main',
    {
      id: 'zip',
      click: () =>
        busy(button, async () => {
          const names = unlike(done.map(([name]) => name));
          const url = URL.createObjectURL(await zip(done.map(([, blob], i) => [names[i], blob])));
          save(url, 'restored.zip');
          setTimeout(() => URL.revokeObjectURL(url), 60_000);
        }),
    },
    'Download all (zip)',
  );
  return h(
    'section.card',
    {},
    h('p', { role: 'status' }, `${done.length} of ${count} pictures restored.`),
    done.length ? button : null,
  );
}
