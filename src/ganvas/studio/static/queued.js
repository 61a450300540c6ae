// A run that has not begun.
import { h, get, post, runPath, busy } from './dom.js';

const PAUSE = 1000; // milliseconds between two requests

/** A run that waits in the queue, or whose training has not made its folder yet. */
export async function queued(place, name) {
  const message = h('p', { 'aria-live': 'polite' }),
    row = h('.row');
  let timer = 0,
    over = false,
    shown = '';
  const out = h(
    'button',
    {
      id: 'out',
      click: () =>
        busy(out, async () => {
          await post(runPath(name, '/stop'));
          await update();
        }),
    },
    'Take it out of the queue',
  );
  place.append(h('h1', {}, name), message, row, h('p', {}, h('a', { href: '#/' }, 'All runs')));
  const texts = {
    waiting: 'Another training is at work; this one waits for it.',
    stopped: 'It was stopped before it began.',
    ending: 'It is being stopped.',
    running: 'It is about to begin: data are read, networks are built …',
    done: 'It is done.',
  };
  /** Returns whether the state may still change. */
  async function update() {
    const { begun, job } = await get(runPath(name)),
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
    if (now === 'failed') message.replaceChildren(h('strong.error', { role: 'alert' }, 'It could not begin. '), job.words);
    else message.textContent = texts[now];
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
