// The generator of sounds in the visitor's browser: no server computes anything.
import * as ort from './ort.wasm.bundle.min.mjs';
import { $, card, classOf, connect, generate, latent, press, queued, seeds, slerp, start } from './shared.js';

const KEYS = 'qwertyuiasdfghjk', COUNT = KEYS.length;
let decoder, audio, kind = 0, stations = [0, 1], shown = [], last = null;

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

async function show() {
  const numbers = seeds(COUNT), labels = numbers.map((_, i) => classOf(kind, i));
  const drawn = await generate(numbers.map(latent), labels);
  shown = drawn.map((spectrogram, i) => ({ spectrogram, seed: numbers[i], label: labels[i] }));
  shown.forEach((one, i) => {
    const [canvas, words] = $('keys').children[i].children;
    paint(canvas, one.spectrogram);
    words.textContent = `${KEYS[i]}: ${card.classes.length ? `${card.classes[one.label]}, ` : ''}seed ${one.seed}`;
  });
  document.body.dataset.ready = 'yes';
}

function tell() {
  const name = card.classes.length ? `, class ${card.classes[kind === 'all' ? 0 : kind]}` : '';
  $('way').textContent = `From seed ${stations[0]} to seed ${stations[1]}${name}: the last two that you played.`;
}

async function listen() {
  const [a, b] = stations, label = kind === 'all' ? 0 : kind;
  const [spectrogram] = await generate([slerp(latent(a), latent(b), Number($('share').value))], [label]);
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
  press(value);
  tell();
  return show();
}

function prepare() {
  connect(choose, show, COUNT);
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
  $('listen').onclick = listen;
  $('share').onchange = listen;
  $('save').onclick = () => {
    const name = card.classes.length ? `-${last.label}` : '', href = URL.createObjectURL(wav(last.wave));
    Object.assign(document.createElement('a'), { href, download: `sound-${last.seed}${name}.wav` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
  };
}

async function begin(waves) {
  decoder = waves;
  prepare();
  await choose(card.classes.length ? 'all' : 0);
}

window.ganvas = { draw: generate, decode, get card() { return card; }, get shown() { return shown; } };
start(['waves.onnx'], begin);
