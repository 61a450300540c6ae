// Which of two sounds is a recording, and which did the generator draw?
import { h, get, post, runPath, percent, busy, tabs } from '/static/dom.js';
import { play } from './sounds.js';

const NAMES = ['A', 'B'];

/** The results of all games on this machine. */
function tally(all) {
  if (!all.games) return 'No games with this run on this machine yet.';
  const games = `${all.games} game${all.games > 1 ? 's' : ''}`,
    interval = `${percent(all.low)} to ${percent(all.high)}`;
  return `On this machine: ${games}; players found the recording ${percent(all.right / all.of)} of the time (likely range ${interval}). 50% means that nobody can tell.`;
}

/** Two sounds to hear, and which of them the player takes for the recording. */
function pairOf(wavs, kind, i, changed) {
  let picked = null,
    over = false,
    sound = null;
  const title = h('h3', {}, kind === null ? `Pair ${i + 1}` : `Pair ${i + 1}: ${kind}`),
    result = h('p.soft');
  const hear = (wav) => {
    sound?.pause();
    sound = play(wav);
  };
  const choices = wavs.map((_, side) =>
    h(
      'button',
      {
        'aria-pressed': 'false',
        'aria-label': `Pair ${i + 1}: ${NAMES[side]} is the recording`,
        click: () => {
          if (over) return;
          picked = side;
          choices.forEach((one, j) => one.setAttribute('aria-pressed', j === side));
          changed();
        },
      },
      `${NAMES[side]} is real`,
    ),
  );
  const rows = wavs.map((wav, side) =>
    h(
      '.row',
      {},
      h('button', { 'aria-label': `Play ${NAMES[side]} of pair ${i + 1}`, click: () => hear(wav) }, `▶ ${NAMES[side]}`),
      choices[side],
    ),
  );
  return {
    element: h('li.card', {}, title, rows, result),
    picked: () => picked,
    reveal(real) {
      over = true;
      choices.forEach((one) => {
        one.removeAttribute('aria-pressed');
        one.setAttribute('aria-disabled', 'true');
      });
      choices[picked].classList.add(picked === real ? 'right' : 'wrong');
      result.textContent = `${picked === real ? '✓' : '✗'} ${NAMES[real]} is the recording, ${NAMES[1 - real]} was drawn.`;
    },
  };
}

export async function page(place, name) {
  const run = await get(runPath(name)),
    all = await get(runPath(name, '/sounds/games'));
  const board = h('section.card'),
    score = h('.stack', { 'aria-live': 'polite' }),
    stats = h('p.soft', {}, tally(all));

  async function begin() {
    score.replaceChildren();
    board.replaceChildren(h('p', { role: 'status' }, 'Drawing the pairs …'));
    try {
      deal(await post(runPath(name, '/sounds/game')));
    } catch (error) {
      showError(error);
    }
  }
  /** Show an error, and a button to begin again. */
  function showError(error) {
    board.replaceChildren(h('p.error', { role: 'alert' }, error.message), h('.row', {}, start));
    start.focus();
  }
  function deal(dealt) {
    const count = h('span.soft'),
      decided = () => pairs.filter((one) => one.picked() !== null).length;
    const update = () => {
      count.textContent = `${decided()} of ${pairs.length} decided`;
      if (decided() === pairs.length) done.removeAttribute('aria-disabled');
    };
    const pairs = dealt.pairs.map((wavs, i) => pairOf(wavs, dealt.kinds[i], i, update));
    const done = h(
      'button.main',
      {
        id: 'done',
        'aria-disabled': 'true',
        click: () =>
          busy(done, async () => {
            let end;
            try {
              end = await post(`/api/sounds/games/${dealt.game}`, { real: pairs.map((one) => one.picked()) });
            } catch (error) {
              if (error.message.includes('Start a new one')) showError(error);
              throw error;
            }
            pairs.forEach((one, i) => one.reveal(end.real[i]));
            const title = h('h2', { id: 'score', tabindex: -1 }, `${end.right} of ${end.of} right.`);
            const again = h('button.main', { id: 'again', click: () => busy(again, begin) }, 'Play again');
            const words = 'Guessing would get half of them right.';
            score.replaceChildren(h('.card', {}, title, h('p', {}, words), again));
            stats.textContent = tally(end.all);
            done.remove();
            title.focus();
            title.scrollIntoView({ block: 'center' });
          }),
      },
      'Submit',
    );
    const title = h('h2', { tabindex: -1 }, 'Which is the recording?');
    board.replaceChildren(
      title,
      h('p.soft', {}, 'One sound of each pair is a recording, the other was drawn. Play both, as often as you like.'),
      h(
        'ul.pairs',
        {},
        pairs.map((one) => one.element),
      ),
      h('.row', {}, done, count),
    );
    update();
    title.focus();
  }
  const start = h('button.main', { id: 'begin', click: () => busy(start, begin) }, 'Start');
  board.append(
    h(
      'p',
      {},
      'You hear pairs of sounds: one is a recording that was held out from training, the other was drawn. Say which one is the recording.',
    ),
    start,
  );
  place.append(
    h('h1', {}, 'Which is real?'),
    h('p.soft', {}, name),
    tabs(name, run, 'Which is real?'),
    stats,
    score,
    board,
  );
}
