// A new training: what, which data, how long; everything else under 'Details'.
import { h, get, post, whole, duration, figure, busy, markdown, say, turns } from './dom.js';
import { LENGTHS, outcome, settingsOf, told } from './lengths.js';
import { nameOf, picker } from './picker.js';

const TITLES = { data: 'Data', network: 'Networks', task: 'Losses', training: 'Training' };
const PAUSE = 700; // milliseconds after the last change until the speed is measured

/** A goal for a recipe that answers none of the questions. */
const goalOf = (recipe) => ({
  name: recipe.name,
  title: recipe.name,
  task: recipe.task,
  two_sources: recipe.two_sources,
  recipes: [[recipe.name, '']],
  stages: {},
  choice: '',
  ready: '',
  noun: recipe.samples === 'images' ? 'pictures' : recipe.samples,
  which: `Which ${recipe.samples === 'images' ? 'pictures' : recipe.samples}?`,
  other: recipe.two_sources ? 'Which are of the other kind?' : '',
  files: recipe.samples === 'sounds' ? ['audio/*', '.zip'] : ['image/*', '.zip'],
});

/** Radio buttons as cards; `rows` are a value, a title and words (text or an element). */
function cards(name, legend, rows, chosen, change, more = '') {
  const card = ([value, title, words]) => {
    const radio = h('input', { type: 'radio', name, value, checked: value === chosen, change: () => change(value) });
    return h('label', {}, radio, h('span', {}, h('strong', {}, title), words ? h('small', {}, words) : null));
  };
  return h('fieldset', {}, h('legend', {}, legend), h(`.new-cards${more}`, {}, rows.map(card)));
}

export async function newTraining(place, _, query) {
  const [recipes, goals] = await Promise.all([get('/api/recipes'), get('/api/goals')]);
  const byName = new Map(recipes.map((one) => [one.name, one])),
    asked = byName.get(query.get('recipe'));
  let goal = goals.find(({ name }) => name === query.get('goal')) ?? goals[0],
    own = '', // the recipe that is chosen under 'Details'; '': the answers choose one
    sub = '', // the recipe that a question of the goal has chosen
    length = 'ten',
    first = null, // pickers of data
    second = null,
    speed = null, // what the forecast says
    failed = null, // why there is none
    measuring = null,
    timer = 0,
    started = false;
  if (asked) {
    const fitting = goals.find((one) => one.recipes.some(([name]) => name === asked.name) && !(query.get('data') && one.ready));
    goal = fitting ?? goals.find((one) => one.task === asked.task && !one.ready) ?? goalOf(asked);
    if (fitting?.choice) sub = asked.name;
    else own = asked.name;
  }
  const inputs = new Map(), // setting -> its field, and the recipe's value
    kept = new Map(), // changed settings, carried over to another recipe
    kinds = new Map(); // further settings that a look at the data has led to
  const turn = turns(),
    look = turns();
  const what = h('section.new-what'),
    which = h('section.card.new-which', { 'aria-label': 'Data' }),
    long = h('section.card.new-long', { 'aria-label': 'Length' }),
    looked = h('section.card', { hidden: true, 'aria-live': 'polite' }),
    fields = h('div'),
    about = h('div.new-about'),
    summary = h('summary'),
    message = h('div.new-message', { 'aria-live': 'polite' }),
    start = h('button.main.new-start', {}, 'Start');

  // ---- what the answers mean

  const data = () => first?.state.path ?? '',
    to = () => second?.state.path ?? '';
  function recipe() {
    const fits = first?.state.found?.recipe;
    const name = own || sub || (goal.recipes.some(([one]) => one === fits) ? fits : goal.recipes[0][0]);
    return byName.get(name) ?? recipes[0];
  }
  const stages = () => goal.stages[recipe().name] ?? [];
  const isReady = () => (!recipe().needs_data || data() !== '') && (!recipe().two_sources || to() !== '');
  const changed = () => [...inputs].filter(([, [input, value]]) => input.value !== value).map(([name, [input]]) => [name, input.value]);
  const settings = () => ({ ...Object.fromEntries(changed()), ...Object.fromEntries(kinds) });
  const request = (more = {}) => ({
    recipe: recipe().name,
    data: data(),
    to: recipe().two_sources ? to() : '',
    settings: { ...more, ...settings() },
  });

  // ---- how long

  /** Measure the speed of what is chosen, a moment after the last change. */
  function measure() {
    const isNewest = turn();
    clearTimeout(timer);
    [speed, failed, measuring] = [null, null, null];
    if (!isReady() || first?.state.error || second?.state.error) {
      showLong();
      return;
    }
    measuring = (async () => {
      await new Promise((done) => {
        timer = setTimeout(done, PAUSE);
      });
      await Promise.all([first?.state.busy, second?.state.busy]);
      if (!isNewest()) return;
      try {
        const found = await post('/api/forecast', request());
        if (isNewest()) speed = found;
      } catch (error) {
        if (isNewest()) failed = error;
      }
      if (isNewest()) {
        measuring = null;
        showLong();
      }
    })();
    showLong();
  }
  const isOwnLength = () => changed().some(([name]) => name === 'images');
  function showLong() {
    const words = (seconds) => {
      if (speed) return told(outcome(seconds, speed.images_per_second, stages()), recipe().samples);
      return measuring ? 'Timing a few training steps ...' : '';
    };
    const rows = LENGTHS.map(([name, title, seconds]) => [name, title, words(seconds)]);
    if (isOwnLength()) {
      const images = inputs.get('images')[0].value;
      rows.push(['own', 'As set under Details', `${images} ${recipe().samples}.`]);
    }
    const chosen = isOwnLength() ? 'own' : length;
    const change = (name) => {
      length = name;
      if (name !== 'own' && isOwnLength()) {
        inputs.get('images')[0].value = inputs.get('images')[1];
        kept.delete('images');
        count();
      }
      showLong();
    };
    const had = long.contains(document.activeElement);
    const rate = speed && (speed.images_per_second < 10 ? figure(speed.images_per_second) : whole(speed.images_per_second));
    long.replaceChildren(
      cards('length', 'How long?', rows, chosen, change, '.new-lengths'),
      failed ? h('p.error', { role: 'alert' }, failed.message) : '',
      speed ? h('p.soft', {}, `${rate} ${recipe().samples} per second on this machine right now; fewer while other things are running.`) : '',
    );
    if (had) long.querySelector('input:checked').focus();
    showPlan();
  }
  function showPlan() {
    const title = goal.title + (goal.choice ? `: ${goal.recipes.find(([name]) => name === recipe().name)?.[1] ?? ''}` : '');
    const from = goal.ready && !data() ? '' : data() ? nameOf(data()) : `no ${goal.noun} yet`;
    let time = LENGTHS.find(([name]) => name === length)[1].toLowerCase();
    if (isOwnLength()) time = `${inputs.get('images')[0].value} ${recipe().samples}`;
    else if (speed) {
      const { seconds } = outcome(LENGTHS.find(([name]) => name === length)[2], speed.images_per_second, stages());
      time = `about ${duration(seconds)}`;
    }
    plan.textContent = [title, from, time].filter(Boolean).join(' · ');
  }
  const plan = h('span.new-plan');
  const showError = (error) => message.replaceChildren(h('span.error', { role: 'alert' }, error.message));

  // ---- which data

  function changedData() {
    message.replaceChildren();
    kinds.clear();
    looked.hidden = true;
    chooseRecipe();
    measure();
    const { path, found, error, busy: looking } = first?.state ?? {};
    if (path && !error && !looking && (found || !goal.files.length) && recipe().check) lookAt();
    for (const [input, one] of [[typed, first], [typedTo, second]]) if (one && document.activeElement !== input) input.value = one.state.path;
  }
  function showWhich() {
    first?.stop();
    second?.stop();
    first = second = null;
    const given = (key) => {
      const value = query.get(key) ?? '';
      query.delete(key);
      return value;
    };
    const parts = [];
    if (goal.choice)
      parts.push(
        cards('sub', goal.choice, goal.recipes.map(([name, title]) => [name, title, '']), sub || goal.recipes[0][0], (name) => {
          [sub, own] = [name, ''];
          chooseRecipe();
          measure();
        }, '.new-pills'),
      );
    if (goal.ready && !query.get('data')) parts.push(h('h2', {}, 'Which pictures?'), h('p', {}, h('strong', {}, 'MNIST'), ': 60,000 handwritten digits. They come with Ganvas, so there is nothing to choose.'));
    else {
      first = picker(goal, goal.which, changedData, given('data'));
      parts.push(h('h2', {}, goal.which), first.element);
      if (goal.two_sources) {
        second = picker(goal, goal.other, changedData, given('to'));
        parts.push(h('h2', {}, goal.other), second.element);
      }
    }
    which.replaceChildren(...parts);
    typedRow.hidden = !first;
    typedToRow.hidden = !second;
    changedData();
  }

  // ---- details

  const typedField = (id, one) =>
    h('input.grow', {
      id,
      autocomplete: 'off',
      placeholder: 'a path in the studio’s folder',
      change: () => one()?.choose(typed_(id)),
    });
  const typed_ = (id) => document.getElementById(id).value.trim();
  const typed = typedField('data', () => first),
    typedTo = typedField('to', () => second);
  const typedRow = h('label.new-typed', { for: 'data' }, 'Data', typed),
    typedToRow = h('label.new-typed', { for: 'to' }, 'Of the other kind', typedTo);
  const pick = h(
    'select',
    {
      id: 'recipe',
      change: () => {
        own = pick.value;
        const wanted = byName.get(own);
        if (wanted && wanted.task !== goal.task) {
          goal = goals.find((one) => one.recipes.some(([name]) => name === own)) ?? goals.find((one) => one.task === wanted.task) ?? goalOf(wanted);
          showWhat();
          showWhich();
          return;
        }
        chooseRecipe();
        measure();
      },
    },
    h('option', { value: '' }, 'chosen by your answers'),
    recipes.map(({ name }) => h('option', { value: name }, name)),
  );
  function setting(entry) {
    const id = `set-${entry.name}`,
      help = `help-${entry.name}`,
      options = entry.kind === 'bool' ? ['true', 'false'] : entry.choices;
    const change = () => {
      message.replaceChildren();
      if (input.value === String(entry.value)) kept.delete(entry.name);
      else kept.set(entry.name, input.value);
      count();
      if (['images', 'tick_every', 'sample_every', 'sample_at', 'seed'].includes(entry.name)) showLong();
      else measure();
    };
    const properties = { id, 'aria-describedby': help, input: change };
    const input = options.length
      ? h('select', properties, options.map((o) => h('option', { selected: o === String(entry.value) }, o)))
      : h('input', { ...properties, value: entry.value, autocomplete: 'off' });
    if (kept.has(entry.name)) input.value = kept.get(entry.name);
    inputs.set(entry.name, [input, String(entry.value)]);
    return [h('label', { for: id }, entry.name), input, h('span.soft', { id: help }, entry.help)];
  }
  const count = () => {
    const n = changed().length + kinds.size;
    summary.textContent = n ? `Details (${n} changed)` : 'Details';
  };
  let shown = '';
  function chooseRecipe() {
    const now = recipe();
    pick.value = own;
    if (shown === now.name) return;
    shown = now.name;
    about.replaceChildren(h('h3', {}, `Recipe: ${now.name}`), ...markdown(now.card));
    inputs.clear();
    const groups = {};
    for (const entry of now.settings) (groups[entry.section] ??= []).push(entry);
    const group = ([section, entries]) => [h('h3', {}, TITLES[section]), h('.settings', {}, entries.map(setting))];
    fields.replaceChildren(...Object.entries(groups).flatMap(group));
    count();
  }
  /** What a check of the data says, with what can be set. */
  async function lookAt() {
    const isNewest = look(),
      now = recipe(),
      path = data();
    const sections = new Set(now.settings.filter(({ section }) => section === 'data').map((entry) => entry.name));
    const chosen = Object.entries(settings()).filter(([name]) => sections.has(name) || kinds.has(name));
    const { report, sentence } = await import(now.check);
    try {
      const checked = await post('/api/data/check', { path, settings: Object.fromEntries(chosen) });
      if (!isNewest() || data() !== path) return;
      looked.replaceChildren(
        ...report(checked, nameOf(path), kinds, () => {
          message.replaceChildren();
          count();
        }),
      );
      looked.hidden = false;
    } catch (error) {
      if (isNewest() && data() === path) showError(new Error(sentence(error.message)));
    }
  }

  // ---- what

  function showWhat() {
    const rows = goals.map(({ name, title, words }) => [name, title, words]);
    what.replaceChildren(
      cards('goal', 'What do you want to do?', rows, goal.name, (name) => {
        goal = goals.find((one) => one.name === name);
        [own, sub] = ['', ''];
        showWhich();
      }),
    );
  }

  async function begin() {
    if (started) return;
    message.replaceChildren();
    try {
      if (!isReady()) {
        which.querySelector('.drop .button, button')?.scrollIntoView({ block: 'center' });
        throw new Error(data() ? `${goal.other} Drop or choose them first.` : `${goal.which} Drop or choose them first.`);
      }
      for (const one of [first, second]) {
        if (one?.state.busy) message.textContent = 'It starts as soon as the data are ready ...';
        await one?.state.busy;
        if (one?.state.error) throw one.state.error;
      }
      let preset = {};
      if (!isOwnLength()) {
        if (measuring) message.textContent = 'It starts as soon as the speed has been measured ...';
        while (measuring) await measuring;
        if (failed) throw failed;
        const [, , seconds] = LENGTHS.find(([name]) => name === length);
        const { images } = outcome(seconds, speed.images_per_second, stages());
        preset = settingsOf(images, Number(inputs.get('batch')?.[0].value) || 1);
      }
      const made = await post('/api/train', request(preset));
      started = true; // this page stays until the next one is there
      location.hash = `#/run/${encodeURIComponent(made.run)}`;
      say(made.state === 'waiting' ? 'Another training is running; this one waits for it.' : 'Starting ...');
    } catch (error) {
      showError(error);
    }
  }
  start.addEventListener('click', () => busy(start, begin));

  place.append(
    h('h1', {}, 'New training'),
    what,
    h('.grid.wide.new-both', {}, which, long),
    looked,
    h(
      'details.card.new-details',
      {},
      summary,
      h('p.soft', {}, 'A recipe is a complete training setup with good defaults. Change what you like.'),
      h('.new-typed-rows', {}, h('label.new-typed', { for: 'recipe' }, 'Recipe', pick), typedRow, typedToRow),
      fields,
      about,
    ),
    h('.new-bar', {}, h('div.new-words', {}, plan, message), start),
  );
  showWhat();
  showWhich();
  return () => {
    clearTimeout(timer);
    turn();
    first?.stop();
    second?.stop();
  };
}
