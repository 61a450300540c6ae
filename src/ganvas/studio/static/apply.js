// A model applied to a picture.
import { penOn } from './pen.js';
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
  const go = h('button.main', { id: 'fill', click: () => busy(go, async () => submit(await mask())) }, 'Fill it');
  return h(
    'section.card',
    {},
    h('h2', {}, 'Paint over what is missing'),
    h('.paint', {}, image, canvas),
    h('.row', {}, h('label.grow', { for: 'wide' }, 'Brush', wide), h('button', { click: wipe }, 'Wipe'), go),
    h('p.soft', {}, 'Nothing painted: what is transparent in the picture is filled.'),
  );
}

/** Before and after under a slider. */
function result(done, model) {
  const over = h('.over', {}, h('img', { src: done.before, alt: 'Before' }));
  const range = h('input', {
    type: 'range',
    min: 0,
    max: 100,
    value: 50,
    'aria-label': 'Before on the left, after on the right',
    input: () => cut(),
  });
  const cut = () => {
    over.style.clipPath = `inset(0 ${100 - range.value}% 0 0)`;
  };
  const pixels = model.squares ? '.pixels' : '';
  cut();
  return [
    h('h2', { tabindex: -1 }, 'Before and after'),
    h(`.split${pixels}`, {}, h('img', { src: done.after, alt: 'After' }), over),
    range,
    ...done.warnings.map((text) => h('p.note.level1', {}, text)),
    h('.row', {}, h('button', { id: 'keep', click: () => save(done.after, 'mended.png') }, 'Keep it (PNG)')),
  ];
}

export async function apply(place, chosen) {
  const { runs } = await get('/api/runs'),
    usable = runs.filter((run) => run.abilities.includes('apply') && run.model);
  place.append(h('h1', {}, 'Mend'));
  if (!usable.length) {
    place.append(
      h('p', {}, 'There is no model yet that mends or turns pictures into another kind.'),
      h('p', {}, h('a.button.main', { href: '#/new?recipe=denoise' }, 'Train one')),
    );
    return;
  }
  const turn = turns();
  const options = usable.map((run) =>
    h('option', { value: run.name, selected: run.name === chosen }, `${run.name} (${run.recipe})`),
  );
  const pick = h('select', { id: 'model', change: () => loadModel().catch((error) => say(error.message)) }, options);
  const way = h(
    'select',
    { id: 'way', change: () => file && use(file) },
    h('option', { value: 'b' }),
    h('option', { value: 'a' }),
  );
  const about = h('p.soft'),
    into = h('label', { for: 'way' }, 'Into', way),
    paint = h('div'),
    bench = h('section.card', { 'aria-live': 'polite' }, h('p.soft', {}, 'Nothing was given yet.'));
  let model = null,
    file = null;

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
    if (file) await use(file);
  }
  async function use(blob) {
    file = blob;
    paint.replaceChildren();
    if (!model.masked) {
      await run(blob, null);
      return;
    }
    const isNewest = turn();
    try {
      const made = await painting(blob, (mask) => run(blob, mask));
      if (!isNewest()) return;
      paint.replaceChildren(made);
      bench.replaceChildren(h('p.soft', {}, 'Nothing was filled yet.'));
    } catch (error) {
      showError(error);
    }
  }
  const showError = (error) => bench.replaceChildren(h('p.error', { role: 'alert' }, error.message));
  async function run(blob, mask) {
    const isNewest = turn();
    bench.replaceChildren(h('p', { role: 'status' }, 'It works …'));
    try {
      const path = runPath(pick.value, `/mend?to=${way.value}&mask=${mask?.size ?? 0}`);
      const answer = await send(path, mask ? new Blob([blob, mask]) : blob, 'application/octet-stream');
      const done = await answer.json();
      if (!isNewest()) return;
      bench.replaceChildren(...result(done, model));
      bench.querySelector('h2').focus({ preventScroll: true });
      bench.scrollIntoView({ block: 'nearest' });
    } catch (error) {
      if (isNewest()) showError(error);
    }
  }
  const side = h(
    'section.card',
    {},
    h('.row', {}, h('label.grow', { for: 'model' }, 'Model', pick)),
    about,
    h('.row', {}, into),
    dropZone('Drop a picture here, or choose one.', use),
  );
  place.append(
    h(
      'p.soft',
      {},
      'Your picture stays on this machine. Pictures of up to 4,096 pixels a side; larger ones: ganvas restore.',
    ),
    h('.grid.wide', {}, h('.stack', {}, paint, bench), side),
  );
  await loadModel();
}
