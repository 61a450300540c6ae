// Mend a picture; look at a folder of pictures.
import { h, ask, get, post, at, whole, duration, percent, say, busy, save, dropping } from './kit.js';

export async function mend(place, chosen) {
  const { runs } = await get('/api/runs'), able = runs.filter((r) => r.task !== 'generate' && r.model);
  if (!able.length) {
    place.append(h('h1', {}, 'Mend'), h('p', {}, 'There is no model yet that mends or turns pictures into another kind.'),
      h('p', {}, h('a.button.main', { href: '#/new?recipe=denoise' }, 'Train one')));
    return;
  }
  const pick = h('select', { id: 'model' }, able.map((r) => h('option', { value: r.name, selected: r.name === chosen }, `${r.name} (${r.recipe})`)));
  const about = h('p.soft'), way = h('select', { id: 'way' }, h('option', { value: 'b' }, ''), h('option', { value: 'a' }, '')), turn = h('label', { for: 'way' }, 'Into', way);
  const bench = h('section.card', {}, h('p.soft', {}, 'Nothing was given yet.'));
  let model = null, file = null;
  async function know() {
    model = await get(at(pick.value, '/model'));
    turn.hidden = model.task !== 'translate';
    if (model.kinds) [...way.options].forEach((option, i) => { option.textContent = model.kinds[1 - i]; });
    about.textContent = model.task === 'translate' ? `Turns ${model.kinds[0]} into ${model.kinds[1]} and back${model.any_size ? '' : `, in ${model.size}x${model.size} pixels`}.`
      : `Its damage: ${model.damage}${model.scale > 1 ? `; pictures get ${model.scale} times as large` : ''}.${model.masked ? ' Paint over what is missing.' : ''}`;
    if (file) take(file);
  }
  pick.addEventListener('change', () => know().catch((e) => say(e.message)));
  way.addEventListener('change', () => file && take(file));
  async function take(blob) {
    file = blob;
    if (!model.masked) { await work(blob, null); return; }
    const image = h('img', { src: URL.createObjectURL(blob), alt: 'Your picture' }), canvas = h('canvas', { role: 'img', 'aria-label': 'Paint over what is missing' });
    await image.decode();
    canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
    const pen = canvas.getContext('2d'), wide = h('input', { id: 'wide', type: 'range', min: 1, max: 12, value: 4 });
    let last = null;
    const stroke = (event) => {
      const box = canvas.getBoundingClientRect(), now = [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
      pen.strokeStyle = '#f33'; pen.lineCap = 'round'; pen.lineWidth = (canvas.width * wide.value) / 120;
      pen.beginPath(); pen.moveTo(...(last ?? now)); pen.lineTo(...now); pen.stroke();
      last = now;
    };
    canvas.addEventListener('pointerdown', (event) => { canvas.setPointerCapture(event.pointerId); last = null; stroke(event); });
    canvas.addEventListener('pointermove', (event) => event.buttons && stroke(event));
    const go = h('button.main', { click: () => busy(go, async () => {
      const mask = h('canvas', { width: canvas.width, height: canvas.height }), ink = mask.getContext('2d');
      ink.drawImage(canvas, 0, 0);
      ink.globalCompositeOperation = 'source-in'; ink.fillStyle = '#fff'; ink.fillRect(0, 0, mask.width, mask.height);
      ink.globalCompositeOperation = 'destination-over'; ink.fillStyle = '#000'; ink.fillRect(0, 0, mask.width, mask.height);
      await work(blob, await new Promise((done) => { mask.toBlob(done, 'image/png'); }));
    }) }, 'Fill it');
    bench.replaceChildren(h('h2', {}, 'Paint over what is missing'), h('.paint', {}, image, canvas), h('.row', {}, h('label.grow', { for: 'wide' }, 'Brush', wide), h('button', { click: () => pen.clearRect(0, 0, canvas.width, canvas.height) }, 'Wipe'), go));
  }
  async function work(blob, mask) {
    bench.replaceChildren(h('p', { role: 'status' }, 'It works …'));
    try {
      const body = mask ? new Blob([blob, mask]) : blob;
      const done = await (await ask(at(pick.value, `/mend?to=${way.value}&mask=${mask?.size ?? 0}`), body, 'application/octet-stream')).json();
      const over = h('.over', {}, h('img', { src: done.before, alt: 'Before' })), range = h('input', { type: 'range', min: 0, max: 100, value: 50, 'aria-label': 'Before on the left, after on the right', input: () => cut() });
      const small = model.size <= 128 && model.task === 'translate';
      const cut = () => { over.style.clipPath = `inset(0 ${100 - range.value}% 0 0)`; };
      const split = h('.split', {}, h('img', { src: done.after, alt: 'After' }), over);
      if (small) split.querySelectorAll('img').forEach((i) => { i.style.imageRendering = 'pixelated'; });
      bench.replaceChildren(h('h2', {}, 'Before and after'), split, range, ...done.warnings.map((text) => h('p.note.level1', {}, text)),
        h('.row', {}, h('button', { id: 'keep', click: () => save(done.after, 'mended.png') }, 'Keep it (PNG)')));
      cut();
    } catch (error) { bench.replaceChildren(h('p.error', { role: 'alert' }, error.message)); }
  }
  place.append(h('h1', {}, 'Mend'), h('p.soft', {}, 'Your picture stays on this machine. Pictures of up to 4,096 pixels a side; larger ones: ganvas restore.'),
    h('.grid.wide', {}, bench, h('section.card', {}, h('.row', {}, h('label.grow', { for: 'model' }, 'Model', pick)), about, h('.row', {}, turn), dropping('Drop a picture here, or choose one.', (blob) => take(blob).catch((e) => say(e.message))))));
  await know();
}

export async function data(place, query) {
  const path = new URLSearchParams(query ?? '').get('path') ?? '', found = await get(`/api/data?path=${encodeURIComponent(path)}`);
  const own = found.path, up = own.split('/').slice(0, -1).join('/'), to = (p) => `#/data?path=${encodeURIComponent(p)}`;
  const result = h('div', { 'aria-live': 'polite' });
  const check = (what) => async () => {
    result.replaceChildren(h('.card', {}, h('p', { role: 'status' }, 'Every picture is looked at; large folders take a while …')));
    try {
      const d = await post('/api/data/check', { path: what }), f = d.forecast;
      const time = f.images_per_second ? `${duration(f.images / f.images_per_second)} for ${whole(f.images)} images with the recipe ${f.recipe}` : f.note;
      result.replaceChildren(h('.grid.wide', {}, h('section.card', {}, h('h2', {}, `${whole(d.total)} pictures`),
        d.findings.length ? d.findings.map((x) => h(`.note.level${x.level}`, {}, h('strong', {}, x.text), x.todo ? h('div', {}, x.todo) : null)) : h('p.note.level2', {}, 'Nothing is wrong with them.')),
      h('section.card', {}, h('h2', {}, 'Train on them'), h('p', {}, `They would be ${f.size}x${f.size} pixels${f.classes ? `, in ${f.classes} classes` : ''}. Forecast: ${time}.`),
        h('.row', {}, ['images', 'few', 'denoise', 'superres'].map((r) => h(`a.button${r === f.recipe ? '.main' : ''}`, { href: `#/new?recipe=${r}&data=${encodeURIComponent(what)}` }, r)))),
      d.sheet ? h('section.card', {}, h('h2', {}, 'Cut to the middle, and padded below'), h('img.sheet.smooth', { src: d.sheet, alt: 'Rows of pictures cut to their middle; below each row the same padded' })) : null));
    } catch (error) { result.replaceChildren(h('p.error', { role: 'alert' }, error.message)); }
  };
  const look = (what) => { const b = h('button', { click: () => busy(b, check(what)) }, 'Check'); return b; };
  place.append(h('h1', {}, 'Data'), h('p.soft', {}, `Folders and archives below ${found.root}/. Nothing in them is changed.`),
    h('section.card', {}, h('h2', {}, own || found.root), h('p', {}, own ? h('a', { href: to(up) }, '← up') : null, ` ${whole(found.pictures)} pictures lie here. `, found.pictures ? look(own) : null),
      h('table', {}, h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Name'), h('th', { scope: 'col' }, 'Look'))), h('tbody', {},
        found.entries.map((e) => { const full = own ? `${own}/${e.name}` : e.name; return h('tr', {}, h('td', {}, e.folder ? h('a', { href: to(full) }, `${e.name}/`) : e.name), h('td', {}, look(full))); }),
        found.sets.map((name) => h('tr', {}, h('td', {}, `${name} (comes with Ganvas)`), h('td', {}, look(name))))))), result);
}
