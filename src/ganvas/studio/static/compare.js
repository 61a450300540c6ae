// Two or three runs side by side.
import { h, get, runPath, short, bestFigure, duration, table } from './dom.js';
import { chart } from './chart.js';
import { follow } from './events.js';

const COLOURS = ['--expert', '--forger', '--held'];

export async function compare(place, names) {
  const runs = await Promise.all(
    names
      .split(',')
      .slice(0, 3)
      .map((name) => get(runPath(name))),
  );
  const logs = runs.map(() => []);
  const compared = new Map(runs.flatMap((run) => run.part.compared)); // column -> title
  const charts = [...compared].map(([key, title]) => ({
    key,
    drawn: chart(
      title,
      runs.map((run, i) => [run.name, COLOURS[i]]),
      { x: runs[0].part.samples },
    ),
  }));
  let due = 0;
  const paint = () => {
    const xs = [...new Set(logs.flat().map((row) => row.images))].sort((a, b) => a - b);
    for (const { key, drawn } of charts) {
      const ys = logs.map((rows) => {
        const known = new Map(rows.map((row) => [row.images, row[key]]));
        return xs.map((x) => known.get(x) ?? null);
      });
      drawn.element.hidden = !ys.flat().some((y) => y !== null);
      if (!drawn.element.hidden) drawn.update(xs, ys);
    }
  };
  const schedulePaint = () => {
    cancelAnimationFrame(due);
    due = requestAnimationFrame(paint);
  };
  const pictures = runs.map((run) =>
    run.part.film ? h('.thumb') : h('img.sheet', { alt: `Newest pictures of ${run.name}` }),
  );
  const showNewest = (i, file) => {
    const url = runPath(runs[i].name, `/samples/${file}`),
      script = runs[i].part.film;
    if (!script) pictures[i].src = url;
    else
      import(script)
        .then((own) => own.thumb(pictures[i], url))
        .catch(() => {}); // without it the place stays empty
  };
  runs.forEach((run, i) => run.picture && showNewest(i, run.picture));
  const sources = runs.map((run, i) => {
    const source = follow(run.name, {
      row: (row) => {
        logs[i].push(row);
        schedulePaint();
      },
      picture: ({ file }) => showNewest(i, file),
      again: () => {
        logs[i].length = 0;
      },
      state: ({ state }) => {
        if (state !== 'running') source.close(); // all events have arrived
      },
    });
    return source;
  });

  const settings = runs.map((run) => {
    const flat = Object.entries(run.settings).flatMap(([group, values]) =>
      Object.entries(values).map(([name, value]) => [`${group}.${name}`, String(value)]),
    );
    return new Map(flat);
  });
  const keys = [...new Set(settings.flatMap((known) => [...known.keys()]))];
  const differ = keys.filter((key) => new Set(settings.map((known) => known.get(key))).size > 1);
  const rows = differ.map((key) => [key, ...settings.map((known) => known.get(key) ?? '–')]);
  const about = (run) => {
    return `${run.recipe}, ${short(run.images)} ${run.part.samples}, ${duration(run.seconds)}${bestFigure(run, ', ')}`;
  };
  const panels = runs.map((run, i) => {
    const link = h('a', { href: `#/run/${encodeURIComponent(run.name)}` }, run.name);
    return h('section.card', {}, h('h2', {}, link), pictures[i], h('p.soft', {}, about(run)));
  });
  place.append(
    h('h1', {}, 'Side by side'),
    h('.grid', {}, panels),
    h(
      '.grid',
      {},
      charts.map(({ drawn }) => drawn.element),
    ),
    h(
      'section.card',
      {},
      h('h2', {}, 'Settings that differ'),
      rows.length
        ? table('Settings that differ', ['Setting', ...runs.map((run) => run.name)], rows, true)
        : 'None: these runs have the same settings.',
    ),
  );
  return () => {
    cancelAnimationFrame(due);
    sources.forEach((source) => source.close());
    charts.forEach(({ drawn }) => drawn.close());
  };
}
