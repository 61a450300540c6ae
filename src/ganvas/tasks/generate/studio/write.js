// Writing a text with the generator.
import { h, picture, runPath, busy, save } from '/static/dom.js';

/** A text written by the generator; `write()` writes the field's text. */
export function writing(name, classes) {
  const example = ['2', '0', '2', '6'].every((c) => classes.includes(c)) ? '2026' : classes.slice(0, 4).join('');
  const text = h('input', { id: 'text', value: example, maxlength: 60, class: 'grow' }),
    hand = h('input', { id: 'hand', type: 'number', min: 0, value: 0 }),
    written = h('img.written', { alt: '' });
  let made = '';
  const write = async () => {
    if (!text.value) return;
    const now = text.value;
    written.src = await picture(runPath(name, '/write'), { text: now, seed: Math.max(0, +hand.value || 0) });
    URL.revokeObjectURL(made);
    made = written.src;
    written.alt = `“${now}”, written by the forger`;
  };
  const go = h('button', { click: () => busy(go, write) }, 'Write'),
    png = h('button', { click: () => made && save(made, `${text.value}.png`) }, 'PNG');
  const row = h(
    '.row',
    {},
    h('label.grow', { for: 'text' }, 'Text', text),
    h('label', { for: 'hand' }, 'Handwriting', hand),
    go,
    png,
  );
  return { write, element: h('section.card', {}, h('h2', {}, 'Write'), row, written) };
}
