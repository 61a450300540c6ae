// The expert alone, as a detector; and a game against it.
import { h, ask, get, post, at, percent, say, busy, dropping } from './kit.js';
import { tabs } from './live.js';

export async function expert(place, name) {
  const run = await get(at(name)), model = await get(at(name, '/model'));
  const result = h('section.card', { 'aria-live': 'polite' }, h('h2', {}, 'Verdict'), h('p.soft', {}, 'Nothing was asked yet.'));
  async function judge(blob) {
    result.replaceChildren(h('h2', {}, 'Verdict'), h('p.soft', {}, 'It looks …'));
    try {
      const v = await (await ask(at(name, '/judge'), blob, 'application/octet-stream')).json();
      const needle = h('i'), [no, yes] = v.thresholds;
      needle.style.left = percent(v.probability, 1);
      const words = { yes: `Yes, this looks like ${run.data}.`, no: `No, this does not look like ${run.data}.`, 'not sure': 'It is not sure.' };
      result.replaceChildren(h('h2', {}, words[v.verdict]),
        h('p', {}, `${percent(v.probability, 1)} probable, where as many pictures of this kind as others come.`),
        h('.meter', { role: 'meter', 'aria-label': 'Probability', 'aria-valuenow': Math.round(100 * v.probability), 'aria-valuemin': 0, 'aria-valuemax': 100 }, needle),
        h('p.soft', {}, `“No” below ${percent(no, 1)}, “yes” from ${percent(yes, 1)} on; between them it is not sure.`),
        h('.grid', {}, h('figure', {}, h('img.big', { src: v.picture, alt: 'The picture as the expert got it' }), h('figcaption.soft', {}, 'As the expert got it.')),
          h('figure', {}, h('img.big', { src: v.heat, alt: 'The same with the places marked that move the verdict most' }), h('figcaption.soft', {}, 'Where a small change moves the verdict most (warm).'))),
        v.nearest.length ? h('div', {}, h('h3', {}, 'The nearest training pictures'), h('.row', {}, v.nearest.map((src, i) => h('img.small', { src, alt: `Training picture, ${i + 1} of the nearest` })))) : null);
    } catch (error) { result.replaceChildren(h('h2', {}, 'Verdict'), h('p.error', { role: 'alert' }, error.message)); }
  }
  const pad = h('canvas.pad', { width: 280, height: 280, role: 'img', 'aria-label': 'Draw here with the mouse or a finger' }), pen = pad.getContext('2d');
  const clean = () => { pen.fillStyle = '#000'; pen.fillRect(0, 0, 280, 280); };
  clean();
  let last = null;
  const spot = (event) => { const box = pad.getBoundingClientRect(); return [(280 * (event.clientX - box.left)) / box.width, (280 * (event.clientY - box.top)) / box.height]; };
  const stroke = (event) => {
    const now = spot(event);
    pen.strokeStyle = '#fff'; pen.lineWidth = 28; pen.lineCap = pen.lineJoin = 'round';
    pen.beginPath(); pen.moveTo(...(last ?? now)); pen.lineTo(...now); pen.stroke();
    last = now;
  };
  pad.addEventListener('pointerdown', (event) => { pad.setPointerCapture(event.pointerId); last = null; stroke(event); });
  pad.addEventListener('pointermove', (event) => event.buttons && stroke(event));
  const asked = h('button.main', { id: 'judge', click: () => busy(asked, async () => judge(await new Promise((done) => { centred(pad).toBlob(done, 'image/png'); }))) }, 'What does the expert say?');
  place.append(h('h1', {}, 'The expert'), h('p.soft', {}, `${name}: trained to tell ${run.data} from everything else.`), tabs(name, run, 'Expert'),
    model.detector ? h('.grid.wide', {}, h('section.card', {}, h('h2', {}, 'Show it a picture'), dropping('Drop a picture here, or choose one.', judge), h('.row'),
      h('h3', {}, 'Or draw one'), pad, h('.row', {}, asked, h('button', { click: clean }, 'Wipe'))), result)
      : h('p.note', {}, 'This model has no detector yet: it is learned when a training ends, from at least 200 held-out pictures.'));
}

/** The drawing as MNIST's digits were prepared: 20 of 28 pixels large, its centre of mass in the middle. */
function centred(pad) {
  const data = pad.getContext('2d').getImageData(0, 0, 280, 280).data;
  let [left, top, right, bottom] = [280, 280, -1, -1], [mass, sumX, sumY] = [0, 0, 0];
  for (let p = 0; p < 280 * 280; p += 1) if (data[4 * p] > 40) { const x = p % 280, y = Math.floor(p / 280); left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y); mass += data[4 * p]; sumX += x * data[4 * p]; sumY += y * data[4 * p]; }
  const canvas = h('canvas', { width: 280, height: 280 }), pen = canvas.getContext('2d');
  pen.fillStyle = '#000'; pen.fillRect(0, 0, 280, 280);
  if (right < left) return canvas;
  const [w, t] = [right - left + 1, bottom - top + 1], scale = 200 / Math.max(w, t);
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(pad, left, top, w, t, 140 - scale * (sumX / mass - left), 140 - scale * (sumY / mass - top), scale * w, scale * t);
  return canvas;
}

export async function game(place, name) {
  const run = await get(at(name)), board = h('section.card'), score = h('div', { 'aria-live': 'polite' });
  const tally = (all) => (all.games ? `On this machine: ${all.games} game${all.games > 1 ? 's' : ''}; forged pictures passed for real ${percent(all.fooled / all.shown)} of the time (95% interval ${percent(all.low)} to ${percent(all.high)}). At 50% nobody can tell.` : 'Nobody has played with this run on this machine yet.');
  const stats = h('p.soft', {}, tally(run.games));
  async function begin() {
    board.replaceChildren(h('p', {}, 'Twenty pictures are dealt; before the first game a fresh expert learns (up to a minute) …'));
    score.replaceChildren();
    const dealt = await post(at(name, '/game')), said = dealt.pictures.map(() => false);
    const buttons = dealt.pictures.map((src, i) => {
      const label = h('span', {}, 'forged'), button = h('button', { 'aria-pressed': 'false', 'aria-label': `Picture ${i + 1}: real?`, click: () => {
        said[i] = !said[i];
        button.setAttribute('aria-pressed', said[i]);
        label.textContent = said[i] ? 'real' : 'forged';
        count.textContent = `${said.filter(Boolean).length} marked as real`;
      } }, h('img', { src, alt: '' }), label);
      return button;
    });
    const count = h('span.soft', {}, '0 marked as real');
    const done = h('button.main', { id: 'done', click: () => busy(done, async () => {
      const end = await post(`/api/games/${dealt.game}`, { real: said });
      buttons.forEach((button, i) => {
        button.disabled = true;
        button.classList.add(said[i] === end.real[i] ? 'right' : 'wrong');
        button.querySelector('span').textContent = end.real[i] ? 'is real' : 'is forged';
      });
      const verdict = end.you > end.expert ? 'You beat the machine.' : end.you === end.expert ? 'A draw.' : 'The machine wins.';
      score.replaceChildren(h('h2', { id: 'score' }, `${verdict} You: ${end.you} of ${end.of}; the fresh expert: ${end.expert} of ${end.of}.`),
        h('p', {}, `You took ${end.fooled} of ${end.of / 2} forged pictures for real.`), h('button.main', { id: 'again', click: (e) => busy(e.target, begin) }, 'Once more'));
      stats.textContent = tally(end.all);
      done.hidden = true;
    }) }, 'That is my verdict');
    board.replaceChildren(h('h2', {}, 'Which are real?'), h('p.soft', {}, 'Ten are real, ten are forged. Mark the real ones.'),
      h('ul.picks', {}, buttons.map((b) => h('li', {}, b))), h('.row', {}, done, count));
  }
  const start = h('button.main', { id: 'begin', click: () => busy(start, begin) }, 'Deal');
  board.append(h('p', {}, 'Twenty pictures: half are real and were kept back from the training, half the forger drew. You say which are real. So does a fresh expert, trained for this alone.'), start);
  place.append(h('h1', {}, 'You against the machine'), h('p.soft', {}, name), tabs(name, run, 'You against the machine'), stats, score, board);
}
