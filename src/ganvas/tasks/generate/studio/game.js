// You against the machine.
import { h, get, post, runPath, percent, busy, tabs } from '/static/dom.js';

const WHO = 'ganvas-player'; // storage key: the player's name
const ASKED = 1000; // milliseconds between two questions whether the expert is ready

/** The results of all games on this machine. */
function tally(all) {
  if (!all.games) return 'Nobody has played with these pictures on this machine yet.';
  const games = `${all.games} game${all.games > 1 ? 's' : ''}`,
    range = `${percent(all.low).slice(0, -1)} to ${percent(all.high)}`;
  return `On this machine: ${games}; players took ${percent(all.fooled / all.shown)} of the forged pictures for real (likely range ${range}). At 50% nobody can tell.`;
}

/** The best players by name; nothing where nobody gave one. */
const board = ({ board }) =>
  board?.length
    ? h(
        'section.card.board',
        {},
        h('h2', {}, 'Best players'),
        h('ol', {}, board.map((one) => h('li', {}, h('strong', {}, one.name), ` ${one.you} of 20`))),
      )
    : '';

const word = (real) => (real ? 'real' : 'forged');

/** A picture that the player can mark as real. */
function pick(src, i, changed) {
  let real = false,
    over = false;
  const label = h('strong'),
    you = h('span'),
    expert = h('span');
  const button = h(
    'button',
    {
      'aria-pressed': 'false',
      'aria-label': `Picture ${i + 1}: real?`,
      click: () => {
        if (over) return;
        real = !real;
        button.setAttribute('aria-pressed', real);
        label.textContent = real ? 'real' : '';
        changed();
      },
    },
    h('img', { src, alt: '' }),
    label,
    you,
    expert,
  );
  /** The name for screen readers: all that stands under the picture. */
  const name = (truth, said) => {
    const heard = said === undefined ? '' : `; the expert said ${word(said)}`;
    button.setAttribute('aria-label', `Picture ${i + 1} is ${word(truth)}; you said ${word(real)}${heard}`);
  };
  const say = (line, who, truth, said) => {
    line.textContent = `${who}: ${word(said)}`;
    line.classList.toggle('wrong', said !== truth);
  };
  return {
    button,
    isReal: () => real,
    reveal(truth) {
      over = true;
      button.removeAttribute('aria-pressed');
      button.setAttribute('aria-disabled', 'true');
      button.classList.add(real === truth ? 'right' : 'wrong');
      if (real && !truth) button.classList.add('fooled');
      label.textContent = word(truth);
      say(you, 'you', truth, real);
      name(truth);
    },
    answered(truth, said) {
      say(expert, 'expert', truth, said);
      name(truth, said);
    },
  };
}

/** How far the fresh expert is, in words. */
function progress(expert) {
  if (expert.state === 'failed') return `The fresh expert could not learn: ${expert.why}`;
  return expert.share > 0
    ? `The fresh expert is still learning (${percent(expert.share)}). Its answer appears here.`
    : 'The fresh expert is still learning. Its answer appears here.';
}

export async function page(place, name) {
  const run = await get(runPath(name));
  const table = h('section.card.game'),
    best = h('div', {}, board(run.games)),
    who = h('input', {
      id: 'who',
      maxlength: 30,
      autocomplete: 'nickname',
      value: localStorage.getItem(WHO),
      change: () => localStorage.setItem(WHO, who.value),
    }),
    score = h('.stack', { 'aria-live': 'polite' }),
    stats = h('p.soft', {}, tally(run.games)),
    about = h('p.soft', { role: 'status' });
  let timer = 0,
    left = false;
  const wait = (milliseconds) =>
    new Promise((done) => {
      timer = setTimeout(done, milliseconds);
    });

  async function begin() {
    clearTimeout(timer);
    score.replaceChildren();
    try {
      play(await post(runPath(name, '/game')));
    } catch (error) {
      showError(error);
    }
  }
  /** Show an error, and a button to begin again. */
  function showError(error) {
    table.replaceChildren(h('p.error', { role: 'alert' }, error.message), h('.row', {}, start));
    start.focus();
  }
  /** Ask for the expert's answers until they are there, and show how far it is. */
  async function listen(path, end, picks, line) {
    let expert = {};
    while (!left && line.isConnected) {
      try {
        expert = await get(`${path}/expert`);
      } catch (error) {
        line.textContent = error.message;
        if (error.status !== 429) return;
      }
      if (expert.state === 'ready') break;
      line.textContent = progress(expert);
      if (expert.state !== 'learning') return;
      await wait(ASKED);
    }
    if (left || !line.isConnected) return;
    picks.forEach((one, i) => one.answered(end.real[i], expert.said[i]));
    const verdict =
      end.you > expert.right ? 'You beat the machine.' : end.you === expert.right ? 'A draw.' : 'The machine wins.';
    line.textContent = `The fresh expert: ${expert.right} of ${end.of}. ${verdict}`;
  }
  function play(dealt) {
    const path = `/api/games/${dealt.game}`,
      count = h('span.soft');
    const updateCount = () => {
      count.textContent = `${picks.filter((one) => one.isReal()).length} of 10 marked as real`;
    };
    const picks = dealt.pictures.map((src, i) => pick(src, i, updateCount));
    const done = h(
      'button.main',
      {
        id: 'done',
        click: () =>
          busy(done, async () => {
            try {
              reveal(await post(path, { real: picks.map((one) => one.isReal()), name: who.value.trim() }));
            } catch (error) {
              if (error.message.includes('Start a new one')) showError(error);
              throw error;
            }
          }),
      },
      'Submit',
    );
    function reveal(end) {
      picks.forEach((one, i) => one.reveal(end.real[i]));
      const title = h('h2', { id: 'score', tabindex: -1 }, `You: ${end.you} of ${end.of} right.`),
        line = h('p', { id: 'expert' }, progress({})),
        again = h('button.main', { id: 'again', click: () => busy(again, begin) }, 'Play again');
      const fooled = end.fooled
        ? `${end.fooled} of ${end.of / 2} forged pictures fooled you: they have a red frame.`
        : 'No forged picture fooled you.';
      score.replaceChildren(h('.card', {}, title, line, h('p', {}, fooled), again));
      stats.textContent = tally(end.all);
      best.replaceChildren(board(end.all));
      question.replaceChildren('Under each picture: what it is, what you said, what the expert says.');
      heading.textContent = 'The answers';
      actions.remove();
      title.focus();
      score.scrollIntoView({ block: 'start' });
      listen(path, end, picks, line);
    }
    updateCount();
    const heading = h('h2', { tabindex: -1 }, 'Which are real?'),
      question = h('p.soft', {}, 'Ten are real, ten are forged. Mark the real ones.'),
      actions = h('.row', {}, done, count);
    table.replaceChildren(
      heading,
      question,
      h(
        'ul.picks',
        {},
        picks.map((one) => h('li', {}, one.button)),
      ),
      actions,
    );
    heading.focus();
  }
  const start = h('button.main', { id: 'begin', click: () => busy(start, begin) }, 'Start');
  table.append(
    h(
      'p',
      {},
      'Twenty pictures: half are real and were kept out of the training, half the forger drew. You say which are real. So does a fresh expert, trained for this game alone.',
    ),
    about,
    h('label.who', { for: 'who' }, 'Your name, for the list of best players (optional)', who),
    start,
  );
  place.append(
    h('h1', {}, 'You against the machine'),
    h('p.soft', {}, run.title ?? name),
    tabs(name, run, 'You against the machine'),
    stats,
    score,
    table,
    best,
  );
  get(runPath(name, '/game')).then(
    ({ expert }) => {
      about.textContent =
        expert.state === 'ready'
          ? 'The fresh expert is ready.'
          : 'The fresh expert learns while you play, once for each model.';
    },
    () => {}, // said when the game is begun
  );
  return () => {
    left = true;
    clearTimeout(timer);
  };
}
