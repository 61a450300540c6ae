// You against the machine.
import { h, get, post, runPath, percent, busy, tabs } from '/static/dom.js';

/** The results of all games on this machine. */
function tally(all) {
  if (!all.games) return 'Nobody has played with this run on this machine yet.';
  const games = `${all.games} game${all.games > 1 ? 's' : ''}`,
    share = percent(all.fooled / all.shown),
    interval = `${percent(all.low)} to ${percent(all.high)}`;
  return `On this machine: ${games}; forged pictures passed for real ${share} of the time (95% interval ${interval}). At 50% nobody can tell.`;
}

/** A picture that the player takes for forged or, pressed, for real. */
function pick(src, i, changed) {
  let real = false,
    over = false;
  const label = h('span', {}, 'forged');
  const button = h(
    'button',
    {
      'aria-pressed': 'false',
      'aria-label': `Picture ${i + 1}: real?`,
      click: () => {
        if (over) return;
        real = !real;
        button.setAttribute('aria-pressed', real);
        label.textContent = real ? 'real' : 'forged';
        changed();
      },
    },
    h('img', { src, alt: '' }),
    label,
  );
  return {
    button,
    isReal: () => real,
    reveal(truth) {
      over = true;
      const right = real === truth,
        text = truth ? 'is real' : 'is forged';
      button.removeAttribute('aria-pressed');
      button.setAttribute('aria-disabled', 'true');
      button.setAttribute('aria-label', `Picture ${i + 1} ${text}; you said ${real ? 'real' : 'forged'}`);
      button.classList.add(right ? 'right' : 'wrong');
      label.textContent = `${right ? '✓' : '✗'} ${text}`;
    },
  };
}

export async function page(place, name) {
  const run = await get(runPath(name));
  const board = h('section.card'),
    score = h('.stack', { 'aria-live': 'polite' }),
    stats = h('p.soft', {}, tally(run.games));

  async function begin() {
    score.replaceChildren();
    board.replaceChildren(
      h(
        'p',
        { role: 'status' },
        'Twenty pictures are dealt; before the first game a fresh expert learns (up to a minute) …',
      ),
    );
    try {
      play(await post(runPath(name, '/game')));
    } catch (error) {
      showError(error);
    }
  }
  /** Show an error, and a button to begin again. */
  function showError(error) {
    board.replaceChildren(h('p.error', { role: 'alert' }, error.message), h('.row', {}, start));
    start.focus();
  }
  function play(dealt) {
    const count = h('span.soft');
    const updateCount = () => {
      count.textContent = `${picks.filter((one) => one.isReal()).length} marked as real`;
    };
    const picks = dealt.pictures.map((src, i) => pick(src, i, updateCount));
    const done = h(
      'button.main',
      {
        id: 'done',
        click: () =>
          busy(done, async () => {
            let end;
            try {
              end = await post(`/api/games/${dealt.game}`, { real: picks.map((one) => one.isReal()) });
            } catch (error) {
              if (error.message.includes('Begin a new one')) showError(error);
              throw error;
            }
            picks.forEach((one, i) => one.reveal(end.real[i]));
            const verdict =
              end.you > end.expert ? 'You beat the machine.' : end.you === end.expert ? 'A draw.' : 'The machine wins.';
            const title = h(
              'h2',
              { id: 'score', tabindex: -1 },
              `${verdict} You: ${end.you} of ${end.of}; the fresh expert: ${end.expert} of ${end.of}.`,
            );
            const again = h('button.main', { id: 'again', click: () => busy(again, begin) }, 'Once more');
            score.replaceChildren(
              h(
                '.card',
                {},
                title,
                h('p', {}, `You took ${end.fooled} of ${end.of / 2} forged pictures for real.`),
                again,
              ),
            );
            stats.textContent = tally(end.all);
            done.remove();
            title.focus();
            title.scrollIntoView({ block: 'center' });
          }),
      },
      'That is my verdict',
    );
    updateCount();
    const title = h('h2', { tabindex: -1 }, 'Which are real?');
    board.replaceChildren(
      title,
      h('p.soft', {}, 'Ten are real, ten are forged. Mark the real ones.'),
      h(
        'ul.picks',
        {},
        picks.map((one) => h('li', {}, one.button)),
      ),
      h('.row', {}, done, count),
    );
    title.focus();
  }
  const start = h('button.main', { id: 'begin', click: () => busy(start, begin) }, 'Deal');
  board.append(
    h(
      'p',
      {},
      'Twenty pictures: half are real and were kept back from the training, half the forger drew. You say which are real. So does a fresh expert, trained for this alone.',
    ),
    start,
  );
  place.append(
    h('h1', {}, 'You against the machine'),
    h('p.soft', {}, name),
    tabs(name, run, 'You against the machine'),
    stats,
    score,
    board,
  );
}
