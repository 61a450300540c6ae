// The discriminator alone, as a detector.
import { penOn } from '/static/pen.js';
import { h, send, get, runPath, percent, busy, dropZone, turns, tabs } from '/static/dom.js';

const SIDE = 280; // pixels of the pad: ten of each of MNIST's
const INK = 40; // levels above which a pixel counts as drawn on

/** A pad to draw on, white on black, that says what to draw. */
function drawingPad(what) {
  const label = `Draw ${what} here with the mouse or a finger`.replace('  ', ' ');
  const pad = h('canvas.pad', { width: SIDE, height: SIDE, role: 'img', 'aria-label': label });
  const pen = penOn(pad, (context) => {
    context.strokeStyle = '#fff';
    context.lineWidth = SIDE / 10;
  });
  const wipe = () => {
    pen.fillStyle = '#000';
    pen.fillRect(0, 0, SIDE, SIDE);
  };
  wipe();
  const hint = h('span', { 'aria-hidden': 'true' }, `draw ${what} here`.replace('  ', ' '));
  pad.addEventListener('pointerdown', () => {
    hint.hidden = true;
  });
  return {
    pad,
    element: h('.pad-box', {}, pad, hint),
    wipe() {
      wipe();
      hint.hidden = false;
    },
  };
}

/** The drawing prepared like MNIST's digits: 20 of 28 pixels large, its centre of mass in the middle; null: empty. */
function centred(pad) {
  const { data } = pad.getContext('2d').getImageData(0, 0, SIDE, SIDE);
  let [left, top, right, bottom] = [SIDE, SIDE, -1, -1],
    [mass, sumX, sumY] = [0, 0, 0];
  for (let p = 0; p < SIDE * SIDE; p += 1) {
    const level = data[4 * p],
      x = p % SIDE,
      y = Math.floor(p / SIDE);
    if (level <= INK) continue;
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    mass += level;
    sumX += x * level;
    sumY += y * level;
  }
  if (!mass) return null;
  const canvas = h('canvas', { width: SIDE, height: SIDE }),
    pen = canvas.getContext('2d');
  pen.fillStyle = '#000';
  pen.fillRect(0, 0, SIDE, SIDE);
  const [width, height] = [right - left + 1, bottom - top + 1],
    scale = ((20 / 28) * SIDE) / Math.max(width, height);
  const [x, y] = [SIDE / 2 - scale * (sumX / mass - left), SIDE / 2 - scale * (sumY / mass - top)];
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(pad, left, top, width, height, x, y, scale * width, scale * height);
  return canvas;
}

/** The discriminator's verdict, for people. */
function verdict(v, data) {
  const [no, yes] = v.thresholds,
    needle = h('i');
  needle.style.left = percent(v.probability, 1);
  const texts = {
    yes: `Yes, this looks like ${data}.`,
    no: `No, this does not look like ${data}.`,
    'not sure': 'The expert is not sure.',
  };
  const meter = {
    role: 'meter',
    'aria-label': 'Probability',
    'aria-valuenow': Math.round(100 * v.probability),
    'aria-valuemin': 0,
    'aria-valuemax': 100,
  };
  const shown = (src, alt, caption) => h('figure', {}, h('img.big', { src, alt }), h('figcaption.soft', {}, caption));
  const near = v.nearest.map((src, i) => h('img.small', { src, alt: `Training picture, ${i + 1} of the nearest` }));
  return [
    h('h2', {}, texts[v.verdict]),
    h('p', {}, `${percent(v.probability)} likely to be such a picture (if half of all pictures shown were).`),
    h('.meter', meter, needle),
    h('p.soft', {}, `“No” below ${percent(no)}, “yes” from ${percent(yes)}; between them it is not sure.`),
    h(
      '.sides',
      {},
      shown(v.picture, 'The picture as the expert sees it', 'What the expert sees'),
      shown(
        v.heat,
        'The same in grey, with red where it influenced the verdict most',
        [h('i.red', { 'aria-hidden': 'true' }), 'Red: what influenced it most'],
      ),
    ),
    h('h3', {}, 'The nearest training pictures'),
    near.length ? h('.row', {}, near) : h('p.soft', {}, v.missing),
  ];
}

export async function page(place, name) {
  const run = await get(runPath(name)),
    model = await get(runPath(name, '/model')),
    turn = turns();
  const digits = run.data === 'mnist',
    known = digits ? 'MNIST digits' : run.data;
  place.append(
    h('h1', {}, 'The expert'),
    h('p.soft', {}, `${run.title ?? name}: trained to recognise ${known}.`),
    tabs(name, run, 'Expert'),
  );
  if (!model.detector) {
    place.append(
      h('p.note', {}, `This model has no detector: ${model.no_detector}.`),
    );
    return;
  }
  const result = h(
    'section.card',
    { 'aria-live': 'polite' },
    h('h2', {}, 'Verdict'),
    h('p.soft', {}, 'Draw something, then ask the expert.'),
  );
  async function judge(blob) {
    const isNewest = turn();
    result.replaceChildren(h('h2', {}, 'Verdict'), h('p.soft', {}, 'Looking …'));
    try {
      const answer = await send(runPath(name, '/judge'), blob, 'application/octet-stream');
      const scored = await answer.json();
      if (isNewest()) result.replaceChildren(...verdict(scored, known));
    } catch (error) {
      if (isNewest()) result.replaceChildren(h('h2', {}, 'Verdict'), h('p.error', { role: 'alert' }, error.message));
    }
  }
  const { pad, element, wipe } = drawingPad(digits ? 'a digit' : '');
  const button = h(
    'button.main',
    {
      id: 'judge',
      click: () =>
        busy(button, async () => {
          const drawing = centred(pad);
          if (!drawing) throw new Error('Draw something first.');
          await judge(
            await new Promise((done) => {
              drawing.toBlob(done, 'image/png');
            }),
          );
        }),
    },
    'Ask the expert',
  );
  const input = h(
    'section.card',
    {},
    h('h2', {}, 'Show it a picture'),
    dropZone('Drop a picture here', judge),
    h('h3', {}, 'Or draw one'),
    element,
    h('.row', {}, button, h('button', { click: wipe }, 'Clear')),
  );
  place.append(h('.grid.wide', {}, input, result));
}
