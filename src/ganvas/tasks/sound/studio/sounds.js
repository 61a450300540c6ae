// What the pages of sounds share: playing one, and showing its spectrogram and its waveform.
import { h, s, say } from '/static/dom.js';

const HIGH = 40; // of a waveform in its own units

/** Play a sound; several can sound at once. */
export function play(wav) {
  const sound = new Audio(wav);
  sound.play().catch((error) => {
    if (error.name === 'NotAllowedError') say('This browser plays sounds only after you have clicked on the page.');
    else if (error.name !== 'AbortError') say('This browser cannot play it.');
  });
  return sound;
}

/** A waveform, from pairs of the lowest and highest value of each stretch, in -1 to 1. */
export function waveform(wave) {
  const y = (value) => (((1 - value) / 2) * HIGH).toFixed(1);
  const upper = wave.map(([, high], i) => `${i},${y(high)}`),
    lower = wave.map(([low], i) => `${i},${y(low)}`).reverse();
  return s(
    'svg',
    { class: 'wave', viewBox: `0 0 ${wave.length - 1} ${HIGH}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    s('line', { x1: 0, x2: wave.length - 1, y1: HIGH / 2, y2: HIGH / 2 }),
    s('polygon', { points: [...upper, ...lower].join(' ') }),
  );
}

/** The spectrogram and the waveform of a sound. */
export const shown = (sound, alt) => [h('img.spectrum', { src: sound.picture, alt }), waveform(sound.wave)];
