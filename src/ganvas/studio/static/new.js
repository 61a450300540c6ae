// A new training.
import { h, get, post, whole, duration, figure, busy, markdown, say, turns } from './dom.js';

const TITLES = { data: 'Data', network: 'Networks', task: 'The contest', training: 'Training' };

export async function newTraining(place, _, query) {
  const recipes = await get('/api/recipes'),
    turn = turns();
  let recipe = recipes.find((r) => r.name === (query.get('recipe') ?? 'mnist')) ?? recipes[0];
  let started = false;
  const about = h('.card'),
    message = h('p', { 'aria-live': 'polite' }),
    fields = h('div'),
    looked = h('section.card', { hidden: true, 'aria-live': 'polite' }),
    summary = h('summary');
  const inputs = new Map(); // setting -> its field, and the recipe's value
  const kept = new Map(); // changed settings, carried over to another recipe
  const forget = () => {
    turn(); // a pending answer belongs to the earlier request
    message.replaceChildren();
  };
  const field = (id, placeholder) =>
    h('input', { id, value: query.get(id) ?? '', placeholder, class: 'grow', autocomplete: 'off', input: forget });
  const data = field('data', ''),
    to = field('to', 'a folder of the other kind (needed)');
  const kinds = new Map(); // further settings that a look at the data has led to
  const title = h('span'),
    look = h('button', { id: 'look', click: () => busy(look, lookAt) }, 'Look at it');
  const where = h(
    '.row',
    {},
    h('label.grow', { for: 'data' }, title, data),
    look,
    h('a', { href: '#/data' }, 'Find data'),
  );
  const unlook = () => {
    kinds.clear();
    looked.hidden = true;
  };
  data.addEventListener('input', unlook);
  const other = h('.row', {}, h('label.grow', { for: 'to' }, 'Of the other kind', to));

  function setting(entry) {
    const id = `set-${entry.name}`,
      help = `help-${entry.name}`,
      options = entry.kind === 'bool' ? ['true', 'false'] : entry.choices;
    const change = () => {
      forget();
      if (input.value === String(entry.value)) kept.delete(entry.name);
      else kept.set(entry.name, input.value);
      count();
    };
    const properties = { id, 'aria-describedby': help, input: change };
    const input = options.length
      ? h(
          'select',
          properties,
          options.map((o) => h('option', { selected: o === String(entry.value) }, o)),
        )
      : h('input', { ...properties, value: entry.value, autocomplete: 'off' });
    if (kept.has(entry.name)) input.value = kept.get(entry.name);
    inputs.set(entry.name, [input, String(entry.value)]);
    return [h('label', { for: id }, entry.name), input, h('span.soft', { id: help }, entry.help)];
  }
  const changed = () => [...inputs].filter(([, [input, first]]) => input.value !== first);
  const count = () => {
    const n = changed().length + kinds.size;
    summary.textContent = n ? `All settings (${n} changed)` : 'All settings';
  };
  function choose() {
    forget();
    about.replaceChildren(h('h2', {}, recipe.name), ...markdown(recipe.card));
    [title.textContent, data.placeholder] = recipe.source;
    data.placeholder = recipe.needs_data ? `${data.placeholder} (needed)` : 'as the recipe says';
    other.hidden = !recipe.two_sources;
    look.hidden = !recipe.check;
    unlook();
    inputs.clear();
    const groups = {};
    for (const entry of recipe.settings) (groups[entry.section] ??= []).push(entry);
    const group = ([section, entries]) => [h('h3', {}, TITLES[section]), h('.settings', {}, entries.map(setting))];
    fields.replaceChildren(...Object.entries(groups).flatMap(group));
    count();
  }
  const request = () => ({
    recipe: recipe.name,
    data: data.value.trim(),
    to: recipe.two_sources ? to.value.trim() : '',
    settings: { ...Object.fromEntries(changed().map(([name, [input]]) => [name, input.value])), ...Object.fromEntries(kinds) },
  });
  /** What a check of the data says, with what can be set. */
  async function lookAt() {
    const asked = request(),
      isNewest = turn();
    const own = new Set(recipe.settings.filter(({ section }) => section === 'data').map((entry) => entry.name));
    const settings = Object.entries(asked.settings).filter(([name]) => own.has(name) || kinds.has(name));
    message.textContent = 'It is looked at …';
    const { report, sentence } = await import(recipe.check);
    try {
      const checked = await post('/api/data/check', { path: asked.data, settings: Object.fromEntries(settings) });
      if (!isNewest()) return;
      message.replaceChildren();
      looked.replaceChildren(
        ...report(checked, asked.data, kinds, () => {
          forget();
          count();
        }),
      );
      looked.hidden = false;
      looked.scrollIntoView({ block: 'nearest' });
    } catch (error) {
      if (isNewest()) showError(new Error(sentence(error.message)));
    }
  }
  const showError = (error) => message.replaceChildren(h('span.error', { role: 'alert' }, error.message));

  const start = h(
    'button.main',
    {
      click: () =>
        busy(start, async () => {
          if (started) return;
          try {
            const made = await post('/api/train', request());
            started = true; // this page stays until the next one has come
            location.hash = `#/run/${encodeURIComponent(made.run)}`;
            say(made.state === 'waiting' ? 'Another training is at work; this one waits for it.' : 'It begins.');
          } catch (error) {
            showError(error);
          }
        }),
    },
    'Start',
  );
  const forecast = h(
    'button',
    {
      click: () =>
        busy(forecast, async () => {
          const isNewest = turn();
          message.textContent = 'A few true steps are tried …';
          try {
            const f = await post('/api/forecast', request());
            if (!isNewest()) return;
            const rate = f.images_per_second < 10 ? figure(f.images_per_second) : whole(f.images_per_second);
            message.textContent = `${duration(f.seconds)} for ${whole(f.images)} ${recipe.samples} at ${rate} a second (${f.data}), if nothing else is at work.`;
          } catch (error) {
            if (isNewest()) showError(error);
          }
        }),
    },
    'How long will it take?',
  );

  const choice = (r) => {
    const change = () => {
      recipe = r;
      choose();
    };
    const text = r.about.replace(/: `ganvas [^`]*`.*$/, '.').replaceAll('`', '');
    const radio = h('input', { type: 'radio', name: 'recipe', value: r.name, checked: r === recipe, change });
    return h('label', {}, radio, h('span', {}, h('strong', {}, r.name), h('small', {}, text)));
  };
  place.append(
    h('h1', {}, 'New training'),
    h('p.soft', {}, 'A recipe is a whole training with everything chosen well; change what you like.'),
    h('fieldset', {}, h('legend.soft', {}, 'Recipe'), h('.choices', {}, recipes.map(choice))),
    h(
      '.grid.wide',
      {},
      h(
        '.card',
        {},
        h('h2', {}, 'Start'),
        where,
        other,
        h('details', {}, summary, fields),
        h('.row', {}, start, forecast),
        message,
      ),
      about,
    ),
    looked,
  );
  choose();
  if (recipe.check && data.value) await lookAt();
}
