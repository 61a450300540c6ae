// The generator in the visitor's browser: no server computes anything.
import { $, card, classOf, connect, generate, latent, press, seeds, slerp, start } from './shared.js';

const TILES = 24, COLUMNS = 8, INK = 0.25;
let kind = 0, stations = [0, 1];

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

async function showSheet() {
  const pictures = await draw(seeds(TILES), seeds(TILES).map((_, i) => classOf(kind, i))), context = $('sheet').getContext('2d');
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
  press(value);
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

function prepare() {
  connect(choose, showSheet, TILES);
  [$('sheet').width, $('sheet').height] = [COLUMNS * card.size, (TILES / COLUMNS) * card.size];
  [$('step').width, $('step').height] = [card.size, card.size];
  $('sheet').onclick = (event) => {
    const box = $('sheet').getBoundingClientRect(), side = box.width / COLUMNS;
    const i = Math.floor((event.clientY - box.top) / side) * COLUMNS + Math.floor((event.clientX - box.left) / side);
    stations = [stations[1], seeds(TILES)[Math.min(TILES - 1, i)]];
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

async function begin() {
  prepare();
  await choose(card.classes.length ? 'all' : 0);
  if (card.classes.length) await write();
}

window.ganvas = { draw, get card() { return card; } };
start([], begin);
