// A training in several parts, such as all tables of a database: how far each is, and what the whole is for.
import { h, get, runPath, whole, percent, duration, say } from './dom.js';
import { controls } from './run.js';
import { card } from './runs.js';

const PAUSE = 2500; // milliseconds between two requests while it is trained

export function several(place, name, run) {
  const list = h('ul.runs'),
    bar = h('i'),
    tiles = h('dl.tiles'),
    command = h('code'),
    measure = h('code'),
    found = h('section.card.film', { hidden: true }),
    panel = controls(name, run, () => paint());
  let timer = 0,
    over = false,
    seen = 0;
  /** Show what was measured of all parts together, anew where there is something new. */
  async function show() {
    if (!run.part.together || run.measured === seen) return;
    seen = run.measured;
    try {
      const [told, { together }] = await Promise.all([get(runPath(name, '/together')), import(run.part.together)]);
      found.hidden = !told.words;
      if (told.words) found.replaceChildren(h('h2', {}, 'How good they are together'), ...together(told).flat(3).filter((child) => child));
    } catch (error) {
      say(error.message);
    }
  }
  function paint() {
    const shown = {
      parts: `${whole(run.parts.filter((part) => part.state === 'finished').length)} of ${whole(run.parts.length + run.waiting.length)}`,
      [`${run.samples} seen`]: `${whole(run.images)} of ${whole(run.total)}`,
      'training time': duration(run.seconds),
    };
    tiles.replaceChildren(...Object.entries(shown).map(([k, v]) => h('div', {}, h('dt', {}, k), h('dd', {}, v))));
    bar.style.width = percent(run.total ? Math.min(1, run.images / run.total) : 0);
    list.replaceChildren(
      ...run.parts.map((part) => h('li', {}, card(part, part.state, false, null, null))),
      ...run.waiting.map((part) => h('li', {}, h('.card', {}, h('h2', {}, part), h('p.soft', {}, 'Not started yet.')))),
    );
    command.textContent = `ganvas sample ${run.place} --out sqlite:///twin.db`;
    measure.textContent = `ganvas evaluate ${run.place}`;
  }
  const poll = () => {
    if (over) return;
    timer = setTimeout(async () => {
      const before = run.state;
      const newest = document.hidden ? null : await get(runPath(name)).catch((error) => say(error.message));
      if (over) return;
      if (newest) {
        const changed = JSON.stringify(newest.parts) !== JSON.stringify(run.parts);
        Object.assign(run, newest);
        if (changed) paint();
        show();
        if (run.state !== before) panel.status(run.state);
      }
      poll();
    }, PAUSE);
  };
  place.append(
    h('.row', {}, h('h1', {}, name), panel.state),
    h('p.soft', {}, `${run.recipe} on ${run.data}: each table is a separate run, and keys connect them.`),
    panel.wrong,
    h('.bar', { role: 'presentation' }, bar),
    tiles,
    panel.actions,
    list,
    h('section.card', {}, h('h2', {}, 'The whole database'), h('p', {}, 'To draw a database with the same tables, in which every key resolves, run:'), h('p.command', {}, command), h('p', {}, 'To measure how good such databases are, compared with the real one, run:'), h('p.command', {}, measure)),
    found,
  );
  paint();
  show();
  panel.status(run.state);
  poll();
  return () => {
    over = true;
    clearTimeout(timer);
    panel.close();
  };
}
