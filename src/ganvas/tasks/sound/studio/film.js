// A run over time: sheets of spectrograms, and the strip of sounds of the same moment.
import { h, runPath } from '/static/dom.js';
import { timeline } from '/static/film.js';

/** A sheet and a strip of sounds below it. */
function heard(alt) {
  const image = h('img.sheet', { alt, width: 768, height: 640 });
  const strip = h('audio.strip', { controls: true, preload: 'none', 'aria-label': `Hear: ${alt}` });
  const missing = h('p.soft', { hidden: true }, 'There is no strip of sounds from this moment.');
  strip.addEventListener('error', () => {
    strip.hidden = true;
    missing.hidden = false;
  });
  return {
    parts: [image, strip, missing],
    show(source) {
      if (image.getAttribute('src') === source) return;
      image.src = source;
      strip.hidden = false;
      missing.hidden = true;
      strip.src = source.replace('.png', '.wav');
    },
  };
}

const ROWS = 32; // of a sheet at most

export function film(name, before, { classes }) {
  const drawn = heard('Spectrograms of sounds that the network draws'),
    real = heard('Spectrograms of real sounds of the training');
  const beside = h(
    'details',
    { toggle: () => beside.open && real.show(runPath(name, '/samples/reals.png')) },
    h('summary', {}, 'Compare with real sounds'),
    real.parts,
  );
  const rows = classes.length ? ` Rows from the top: ${classes.slice(0, ROWS).join(', ')}.` : '';
  const words = `Time goes to the right, frequency upwards; bright is loud.${rows} The strip plays the first sound of each row, one after the other.`;
  const { parts, ...rest } = timeline('sounds', 'sounds', before, h('div', {}, drawn.parts), ({ file }) =>
    drawn.show(runPath(name, `/samples/${file}`)),
  );
  return { parts: [parts[1], parts[2], parts[0], h('p.soft.words', {}, words), beside], ...rest };
}

/** What a card shows of a run. */
export async function thumb(place, url) {
  place.replaceChildren(h('img.thumb', { src: url, alt: '' }));
}
