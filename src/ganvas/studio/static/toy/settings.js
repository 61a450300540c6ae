// The settings, which can be changed at any time.
import { h } from '../dom.js';
import { SHAPES } from './points.js';
import { LOSSES } from './train.js';

const RATES = [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2];
const named = (table) => Object.entries(table).map(([value, { title }]) => [value, title]);
const counts = (...numbers) => numbers.map((n) => [n, String(n)]);

/** Key, title, [value, words] of each choice, and what it does. Sliders where the choices are many. */
const SETTINGS = [
  ['rateD', 'Learning rate of the expert', RATES, 'How far one step changes its weights.'],
  ['rateG', 'Learning rate of the forger', RATES, 'Keep it below the expert’s.'],
  [
    'penalty',
    'Penalty on steep slopes',
    [0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1],
    'Keeps the expert’s surface gentle (R1; with Wasserstein: a slope of 1).',
  ],
  ['stepsD', 'Steps of the expert in a round', counts(1, 2, 3, 5, 10), 'Before it is the forger’s turn.'],
  ['stepsG', 'Steps of the forger in a round', counts(1, 2, 3, 5, 10), 'Too many against the same expert: mode collapse.'],
  ['loss', 'Loss', named(LOSSES), 'What both networks try to make small.'],
  ['noise', 'Random numbers per point', counts(1, 2, 3, 4, 8), 'What the forger turns into a point.'],
  ['batch', 'Points in a batch', counts(16, 32, 64, 128, 256), 'Of each kind, for one step.'],
  ['width', 'Units in each layer', counts(8, 16, 32, 64), 'Both networks have two such layers.'],
];

/** A slider over a list of numbers. */
function slider(id, list, change) {
  const shown = h('output', { for: id });
  const range = { type: 'range', id, min: 0, max: list.length - 1, step: 1, 'aria-describedby': `${id}-about` };
  const input = h('input', range);
  const tell = () => {
    shown.textContent = list[input.value];
    input.setAttribute('aria-valuetext', shown.textContent);
  };
  input.addEventListener('input', () => {
    tell();
    change(list[input.value]);
  });
  return {
    parts: [input, shown],
    show(value) {
      input.value = list.indexOf(value);
      tell();
    },
  };
}

/** A list to choose from; its values are numbers or names. */
function choice(id, pairs, change) {
  const input = h(
    'select',
    { id, 'aria-describedby': `${id}-about`, change: () => change(pairs[input.selectedIndex][0]) },
    pairs.map(([value, words]) => h('option', { value }, words)),
  );
  return {
    parts: [input],
    show(value) {
      input.value = value;
    },
  };
}

/** @param change is called with {key: value} */
export function settingsPanel(change) {
  const controls = new Map(),
    rows = SETTINGS.map(([key, title, values, about]) => {
      const id = `toy-${key}`,
        make = Array.isArray(values[0]) ? choice : slider;
      const control = make(id, values, (value) => change({ [key]: value }));
      controls.set(key, control);
      const words = h('small', { id: `${id}-about` }, about);
      return h('.setting', {}, h('label', { for: id }, title), h('.field', {}, control.parts), words);
    });
  return {
    element: h('.setting-list', {}, rows),
    show(settings) {
      for (const [key, control] of controls) control.show(settings[key]);
    },
  };
}

/** The choice of the real points. */
export function shapePicker(change) {
  const pick = choice('toy-shape', named(SHAPES), (shape) => change({ shape }));
  pick.parts[0].removeAttribute('aria-describedby');
  pick.parts[0].setAttribute('aria-label', 'Real points');
  return { element: pick.parts[0], show: pick.show };
}
