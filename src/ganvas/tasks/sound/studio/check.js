// What `ganvas data check` says of sounds.
import { h, table, whole } from '/static/dom.js';

const SHOWN = 100; // classes

/** An error for the page: what the command line says fits here too. */
export const sentence = (text) => text;

/**
 * The result as elements; what was heard of `path`.
 * @param kinds given where it is shown below the settings of a training, else null
 */
export function report(checked, path, kinds = null) {
  const { findings, shape, recipe } = checked,
    classes = Object.entries(checked.classes ?? {}).sort(([, a], [, b]) => b - a);
  const notes = findings.map((one) =>
    h(`.note.level${one.level}`, {}, h('strong', {}, one.text), one.todo ? h('div', {}, one.todo) : null),
  );
  const href = `#/new?recipe=${encodeURIComponent(recipe)}&data=${encodeURIComponent(path)}`;
  const more = classes.length - SHOWN;
  const tests = checked.tests ? `, ${whole(checked.tests)} of them test sounds` : '';
  const body = [
    h('h2', { tabindex: -1 }, `${path === '.' ? 'This folder' : path}: ${whole(checked.total)} sounds${tests}`),
    kinds ? null : h('.row', {}, h('a.button.main', { href }, `Train on them (${recipe})`)),
    h('p', {}, `Each would be ${shape.seconds.toFixed(2)} s at ${shape.rate / 1000} kHz.`),
    notes.length ? notes : h('p.note.level2', {}, 'No problems found.'),
    checked.sheet ? [h('h3', {}, 'Some of them'), h('img.sheet', { src: checked.sheet, alt: 'Spectrograms of some of the sounds' }), h('p.soft', {}, 'Time goes to the right, frequency upwards; bright is loud.')] : null,
    classes.length ? [h('h3', {}, `${whole(classes.length)} classes`), table('Classes', ['Class', 'Sounds'], classes.slice(0, SHOWN).map(([name, n]) => [name, whole(n)]), true)] : null,
    more > 0 ? h('p.soft', {}, `${whole(more)} more classes are not shown: ganvas data check shows all.`) : null,
  ];
  const shown = body.flat(3).filter(Boolean);
  return kinds ? shown : [h('section.card', {}, shown)];
}
