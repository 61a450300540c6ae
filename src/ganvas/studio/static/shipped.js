// The models that come with Ganvas: what can be done before any training.
import { exportButton, h, tabs } from './dom.js';

/** What a model can do, as links. */
function uses(model) {
  const to = encodeURIComponent(model.name);
  const pages = model.part.pages.map((page) => [`#/run/${to}/${page.address}`, page.title]);
  if (model.abilities.includes('apply')) pages.push([`#/restore/${to}`, 'Restore photos']);
  return pages.map(([href, text]) => h('a.button', { href }, text));
}

/** A card with all of them; null where there are none. `title`: what it invites to. */
export const ready = (models, title) =>
  models.length
    ? h(
        'section.card.ready',
        {},
        h('h2', {}, title),
        h('p.soft', {}, 'These models come with Ganvas: no training is needed.'),
        models.map((model) =>
          h('.kit', {}, h('h3', {}, model.title), h('p.soft', {}, model.about), h('.row', {}, uses(model))),
        ),
      )
    : null;

/** The page of one model. */
export function model(place, name, run) {
  const { part, title, about, data, licence } = run;
  place.append(
    h('h1', {}, title),
    h('p.soft', {}, `${about} Trained on ${data || 'unknown data'} (licence: ${licence || 'unknown'}).`),
    tabs(name, run, 'About'),
    h('section.card', {}, h('h2', {}, 'What you can do with it'), h('.row', {}, uses(run), part.exported ? exportButton(name) : null)),
    part.diagram ? h('p.soft', {}, part.diagram.words) : '',
  );
}
