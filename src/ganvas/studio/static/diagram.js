// The training as two drawings: bars of the discriminator's accuracy, and the networks with what flows between them.
import { h, s, percent, figure } from './dom.js';

/** The discriminator's accuracy on each kind of sample, as bars that grow from 50%; `made` are the generator's. */
export function accuracyBars(made) {
  const keys = [
    ['accuracy_real', 'real', 'Real'],
    ['accuracy_fake', 'fake', made[0].toUpperCase() + made.slice(1)],
    ['accuracy_held_out', 'held', 'Held out'],
  ];
  const parts = keys.map(([key, name, title]) => ({ key, title, bar: h(`i.${name}`), value: h('span', {}, '–') }));
  const rows = parts.map(({ title, bar, value }) => [h('span', {}, title), h('.track', {}, bar), value]);
  return {
    element: h(
      'div',
      {},
      h('h3', {}, 'How often the expert is right'),
      h('.tug', {}, rows),
      h('p.soft', {}, 'The expert pulls to the right, the forger pulls back to 50%.'),
    ),
    /** `right`: for each column of the log that was measured its share and the share as text. */
    update(right) {
      for (const { key, bar, value } of parts) {
        const shown = right[key]?.share ?? 0.5;
        value.textContent = right[key]?.text ?? '–';
        bar.style.left = percent(Math.min(0.5, shown), 1);
        bar.style.width = percent(Math.abs(shown - 0.5), 1);
      }
    },
  };
}

const IN = 'M62 56h32',
  FORGED = 'M188 58h58q20 0 30 22l10 12h36',
  TRUE = 'M236 134h20q20 0 30-18l10-14h26',
  LESSON = 'M372 68V20H142v12';

/**
 * The two networks and what flows between them, labelled for a task; `update(row)` writes their losses into them.
 * Without a discriminator there is no expert: what is made is compared with the real ones.
 */
export function networks({ diagram, contest, made: forged }) {
  const { given, generator, made, real, words } = diagram,
    name = generator.toLowerCase();
  const text = (x, y, content, kind = '') => s('text', { x, y, 'text-anchor': 'middle', class: kind }, content);
  const dot = (path, begin) => {
    const move = s('animateMotion', { dur: '2.4s', repeatCount: 'indefinite', begin: `${begin}s`, path });
    const appear = s('set', { attributeName: 'opacity', to: 1, begin: `${begin}s` }); // hidden until it moves
    return s('circle', { r: 4, opacity: 0 }, move, appear);
  };
  const lossG = text(142, 74, '', 's'),
    lossD = text(372, 109, '', 's');
  const drawing = s(
    'svg',
    { viewBox: `-14 0 ${contest ? 504 : 460} 170`, class: 'net', role: 'img', 'aria-label': words },
    text(24, 60, given),
    s('path', { d: IN }),
    s('rect', { x: 96, y: 34, width: 92, height: 48, rx: 8, class: 'g' }),
    text(142, 56, generator),
    lossG,
    s('path', { d: FORGED }),
    text(252, 46, made, 's'),
    text(250, 152, real, 's'),
    s('path', { d: TRUE }),
    s('rect', { x: 322, y: 68, width: 100, height: 50, rx: 8, class: contest ? 'd' : 'o' }),
    text(372, 90, contest ? 'Expert' : 'Compare'),
    lossD,
    contest ? [s('path', { d: 'M422 93h20' }), text(466, 90, 'real or', 's'), text(466, 104, `${forged}?`, 's')] : [],
    s('path', { d: LESSON, 'stroke-dasharray': '4 4' }),
    text(258, 15, contest ? `its verdict trains the ${name}` : `the difference trains the ${name}`, 's'),
    [IN, FORGED, TRUE, LESSON].map((path, i) => dot(path, 0.6 * i)),
  );
  return {
    element: h('section.card', {}, h('h2', {}, 'How it works'), drawing, h('p.soft', {}, words)),
    update(row) {
      lossG.textContent = row.loss_g === undefined ? '' : `loss ${figure(row.loss_g)}`;
      lossD.textContent = contest && row.loss_d !== undefined ? `loss ${figure(row.loss_d)}` : '';
    },
  };
}
