// A run that has not begun.
import { h, get, post, runPath, busy } from './dom.js';
import { accuracyBars, networks } from './diagram.js';
import { startingText, tilesOf } from './progress.js';

const PAUSE = 500; // milliseconds between two requests

/** The run's page as it will be, still empty. */
function skeleton(part) {
  if (!part) return [];
  return [
    h('.bar', { role: 'presentation' }, h('i')),
    h('dl.tiles', {}, tilesOf(part)),
    h(
      '.grid.wide',
      {},
      h('section.card', {}, h('h2', {}, part.preview), h('.sheet.to-come')),
      h(
        '.stack',
        {},
        part.contest ? h('section.card', {}, h('h2', {}, part.question), accuracyBars(part.made).element) : null,
        part.diagram ? networks(part).element : null,
      ),
    ),
  ];
}

/** A run that waits in the queue, or whose training has not made its folder yet. */
export async function queued(place, name) {
  const message = h('p', { 'aria-live': 'polite' }),
    row = h('.row');
  let timer = 0,
    over = false,
    shown = '';
  const out = h(
    'button.owner',
    {
      id: 'out',
      click: () =>
        busy(out, async () => {
          await post(runPath(name, '/stop'));
          await update();
        }),
    },
    'Remove from queue',
  );
  const shape = h('.stack');
  place.append(h('h1', {}, name), message, row, shape, h('p', {}, h('a', { href: '#/' }, 'All runs')));
  const texts = {
    waiting: 'Another training is running; this one waits for it.',
    stopped: 'It was stopped before it started.',
    ending: 'Stopping ...',
    done: 'Finished.',
  };
  /** Returns whether the state may still change. */
  async function update() {
    const { begun, job, part } = await get(runPath(name)),
      now = job.state;
    if (over) return false;
    if (begun) {
      dispatchEvent(new HashChangeEvent('hashchange'));
      return false;
    }
    const open = ['waiting', 'running', 'ending'].includes(now);
    if (now === shown) return open;
    shown = now;
    row.replaceChildren(...(now === 'waiting' ? [out] : []));
    if (now === 'failed') message.replaceChildren(h('strong.error', { role: 'alert' }, 'It could not start. '), job.words);
    else message.textContent = now === 'running' ? startingText(part?.samples) : texts[now];
    if (!open) shape.replaceChildren();
    else if (!shape.children.length) shape.append(...skeleton(part));
    return open;
  }
  const updateLater = (pause) => {
    timer = setTimeout(async () => {
      if (await update().catch(() => true)) updateLater(PAUSE);
    }, pause);
  };
  if (await update()) updateLater(PAUSE);
  return () => {
    over = true;
    clearTimeout(timer);
  };
}
