// A map of the latent space to drag through and hear.
import { h, post, runPath, say, save } from '/static/dom.js';
import { latentMap } from '/static/map.js';
import { play, shown } from './sounds.js';

const PACE = 160; // milliseconds between two sounds at least while somebody drags
const BUSY = 300; // milliseconds before a busy server is tried again
const later = (pause) => new Promise((resolve) => setTimeout(resolve, pause));

/** The map between four seeds, each with its own class or all with one. */
export function mapOf(name, model) {
  const { classes } = model,
    place = h('.walk'),
    caption = h('p.soft', {}, 'Drag through the map, or use the arrow keys; Enter plays the sound again.');
  let now = null, // the sound that is shown
    sounding = null,
    wanted = null,
    working = false,
    aloud = false,
    over = false;
  const kind = (i) => kinds.value || classes[i % classes.length];
  const kinds = h(
    'select.kind',
    {
      id: 'map-kind',
      change: () => {
        map.title();
        map.move();
      },
    },
    h('option', { value: '' }, 'one per corner'),
    classes.map((c) => h('option', { value: c }, c)),
  );
  const map = latentMap(
    (corners, x, y) => {
      wanted = { corners, x, y, kinds: classes.length ? corners.map((_, i) => kind(i)) : null };
      if (!working) work();
    },
    (seed, i) => (classes.length ? `${kind(i)}\nseed ${seed}` : `seed ${seed}`),
  );
  map.element.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    hear();
  });
  function hear() {
    if (!now) return;
    sounding?.pause(); // or dozens of them would sound at once
    sounding = play(now.wav);
  }
  /** Draw and play what is wanted: one after the other, places that were passed meanwhile are left out. */
  async function work() {
    working = true;
    while (wanted && !over) {
      const asked = wanted;
      wanted = null;
      try {
        now = await post(runPath(name, '/sounds/at'), asked);
        if (over) return;
        place.replaceChildren(...shown(now, 'Spectrogram of the sound at this place of the map'));
        if (aloud) hear();
        aloud = true;
        await later(PACE);
      } catch (error) {
        if (over) return;
        if (error.status === 429) {
          await later(BUSY);
          wanted ??= asked;
        } else say(error.message);
      }
    }
    working = false;
  }
  const keep = h('button', { click: () => now && save(now.wav, `${name}-map.wav`) }, 'WAV');
  return {
    draw: () => map.move(),
    element: h(
      'section.card',
      {},
      h('h2', {}, 'A map to drag through'),
      classes.length ? h('.row', {}, h('label', { for: 'map-kind' }, 'Class', kinds)) : null,
      h('.places', {}, map.element, place),
      caption,
      h('.row', {}, h('button.main', { id: 'map-hear', click: hear }, 'Play'), keep, map.shuffle),
    ),
    close() {
      over = true;
      sounding?.pause();
    },
  };
}
