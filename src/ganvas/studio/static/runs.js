// All runs; and a new one.
import { h, get, post, at, whole, short, percent, figure, duration, say, busy, marked } from './kit.js';

const WORDS = { running: 'training now', finished: 'finished', stopped: 'stopped', waiting: 'waits', failed: 'failed' };

export async function runs(place) {
  const list = h('ul.runs'), jobs = h('div', { 'aria-live': 'polite' }), chosen = new Set();
  const compare = h('a.button', { href: '#/' , 'aria-disabled': 'true' }, 'Compare');
  const mark = () => {
    compare.href = chosen.size > 1 ? `#/compare/${[...chosen].join(',')}` : '#/';
    compare.setAttribute('aria-disabled', chosen.size < 2);
    compare.textContent = chosen.size > 1 ? `Compare ${chosen.size} runs` : 'Compare: mark two or three';
  };
  mark();
  place.append(
    h('h1', {}, 'Runs'),
    h('p.soft', {}, 'Each card is a contest between a forger, who draws, and an expert, who tells real from forged.'),
    h('.row', {}, h('a.button.main', { href: '#/new' }, 'New training'), compare), jobs, list);
  let before = '';
  async function look() {
    const found = await get('/api/runs'), text = JSON.stringify(found);
    if (text === before) return;
    before = text;
    const waiting = found.jobs.filter((j) => j.state === 'waiting' || j.state === 'failed').slice(0, 6);
    jobs.replaceChildren(...waiting.map((j) => h(`.note.level${j.state === 'failed' ? 0 : 2}`, {},
      h('strong', {}, `${j.run}: ${WORDS[j.state]}`), j.words ? h('p.soft', {}, j.words) : null,
      j.state === 'waiting' ? h('.row', {}, h('button', { click: (e) => busy(e.target, () => post(at(j.run, '/stop')).then(look)) }, 'Take it out')) : null)));
    const focus = document.activeElement?.id;
    list.replaceChildren(...found.runs.map((run) => card(run, found.jobs, chosen, mark, look)));
    if (focus) document.getElementById(focus)?.focus();
    if (!found.runs.length) list.append(h('li.card', {}, h('p', {}, 'There is no run yet. Three minutes are enough for a first one.'),
      h('a.button.main', { href: '#/new' }, 'Train on MNIST')));
  }
  await look();
  const timer = setInterval(() => document.visibilityState === 'visible' && look().catch((e) => say(e.message)), 2500);
  return () => clearInterval(timer);
}

function card(run, jobs, chosen, mark, look) {
  const share = run.total ? Math.min(1, run.images / run.total) : 0, state = run.state;
  const bar = h('i');
  bar.style.width = percent(share);
  const box = h('input', { type: 'checkbox', id: `mark-${run.name}`, change: () => {
    if (box.checked) chosen.add(run.name); else chosen.delete(run.name);
    if (chosen.size > 3) { chosen.delete(run.name); box.checked = false; say('Three runs fit side by side.'); }
    mark();
  } });
  box.checked = chosen.has(run.name);
  const act = state === 'running'
    ? h('button', { id: `act-${run.name}`, click: (e) => busy(e.target, async () => { await post(at(run.name, '/stop')); say('It saves and stops.'); await look(); }) }, 'Stop')
    : state === 'stopped' ? h('button', { id: `act-${run.name}`, click: (e) => busy(e.target, async () => { await post(at(run.name, '/resume')); await look(); }) }, 'Go on') : null;
  return h('li', {}, h('article.card', {},
    h('a', { href: `#/run/${run.name}`, 'aria-label': `Open ${run.name}` },
      run.picture ? h('img.thumb', { src: at(run.name, `/samples/${run.picture}?${run.images}`), alt: '', loading: 'lazy' }) : h('.thumb')),
    h('.row', {}, h('h2.grow', {}, h('a', { href: `#/run/${run.name}` }, run.name)), h(`span.pill.${state}`, {}, WORDS[state])),
    h('.soft', {}, `${run.recipe || 'recipe not known'} · ${short(run.images)} of ${short(run.total)} images`,
      run.figure ? ` · ${run.figure.title} ${figure(run.figure.value)}` : ''),
    h('.bar', { role: 'progressbar', 'aria-label': `${run.name}: share that is done`, 'aria-valuenow': Math.round(100 * share), 'aria-valuemin': 0, 'aria-valuemax': 100 }, bar),
    h('.row', {}, act, h('label', {}, box, 'Compare'))));
}

export async function fresh(place, query) {
  const given = new URLSearchParams(query ?? ''), recipes = await get('/api/recipes');
  let recipe = recipes.find((r) => r.name === (given.get('recipe') ?? 'mnist')) ?? recipes[0];
  const about = h('.card'), told = h('p', { 'aria-live': 'polite' }), fields = h('.settings');
  const data = h('input', { id: 'data', value: given.get('data') ?? '', placeholder: 'pictures/mine', class: 'grow', autocomplete: 'off' });
  const to = h('input', { id: 'to', value: given.get('to') ?? '', placeholder: 'pictures/of-the-other-kind', class: 'grow', autocomplete: 'off' });
  const where = h('.row', {}, h('label.grow', { for: 'data' }, 'Pictures', data), h('a', { href: '#/data' }, 'look for them'));
  const other = h('.row', {}, h('label.grow', { for: 'to' }, 'Of the other kind', to));
  const inputs = new Map();
  const choose = () => {
    about.replaceChildren(h('h2', {}, recipe.name), ...marked(recipe.card));
    data.placeholder = recipe.needs_data ? 'a folder of pictures (needed)' : 'as the recipe says';
    other.hidden = recipe.task !== 'translate';
    inputs.clear();
    fields.replaceChildren(...recipe.settings.flatMap((knob) => {
      const id = `set-${knob.name}`, options = knob.kind === 'bool' ? ['true', 'false'] : knob.choices;
      const input = options.length
        ? h('select', { id }, options.map((o) => h('option', { selected: o === String(knob.value) }, o)))
        : h('input', { id, value: knob.value, autocomplete: 'off' });
      inputs.set(knob.name, [input, String(knob.value)]);
      return [h('label', { for: id }, knob.name), input, h('span.soft', {}, knob.help)];
    }));
    told.textContent = '';
  };
  const wanted = () => ({
    recipe: recipe.name, data: data.value.trim(), to: recipe.task === 'translate' ? to.value.trim() : '',
    settings: Object.fromEntries([...inputs].filter(([, [input, first]]) => input.value !== first).map(([k, [input]]) => [k, input.value])),
  });
  const start = h('button.main', { click: () => busy(start, async () => {
    try {
      const made = await post('/api/train', wanted());
      location.hash = `#/run/${made.run}`;
      say(made.state === 'waiting' ? 'Another training is at work; this one waits for it.' : 'It begins.');
    } catch (error) { told.replaceChildren(h('span.error', { role: 'alert' }, error.message)); }
  }) }, 'Start');
  const forecast = h('button', { click: () => busy(forecast, async () => {
    told.textContent = 'A few true steps are tried …';
    try {
      const f = await post('/api/forecast', wanted());
      told.textContent = `${duration(f.seconds)} for ${whole(f.images)} images at ${whole(f.images_per_second)} a second (${f.data}), if nothing else is at work.`;
    } catch (error) { told.replaceChildren(h('span.error', {}, error.message)); }
  }) }, 'How long will it take?');
  place.append(h('h1', {}, 'New training'), h('p.soft', {}, 'A recipe is a whole training with everything chosen well; change what you like.'),
    h('fieldset.choices', {}, h('legend.soft', {}, 'Recipe'), recipes.map((r) => h('label', {},
      h('input', { type: 'radio', name: 'recipe', value: r.name, checked: r === recipe, change: () => { recipe = r; choose(); } }),
      h('span', {}, h('strong', {}, r.name), h('small', {}, r.about.replace(/: `[^`]*`.*$/, '.').replaceAll('`', '')))))),
    h('.grid.wide', {}, h('.card', {}, h('h2', {}, 'Start'), where, other,
      h('details', {}, h('summary', {}, 'All settings'), fields), h('.row', {}, start, forecast), told), about));
  choose();
}
