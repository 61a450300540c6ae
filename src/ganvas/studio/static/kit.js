// What all pages share: elements, requests, words for numbers.

/** An element: h('a', { href: '#/' }, 'Runs'); a function as a property is a listener, null children are left out. */
export function h(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name || 'div');
  if (classes.length) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else if (key in element && typeof element[key] === 'boolean') element[key] = value;
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The same for SVG. */
export function s(tag, properties = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [key, value] of Object.entries(properties)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** A request; an answer that is no success becomes an error with the server's sentence. */
export async function ask(path, body, type = 'application/json') {
  const given = body === undefined ? {} : {
    method: 'POST',
    headers: { 'X-Ganvas': '1', 'Content-Type': type },
    body: type === 'application/json' ? JSON.stringify(body) : body,
  };
  let answer;
  try { answer = await fetch(path, given); }
  catch { throw new Error('The studio does not answer. Is it still running?'); }
  if (answer.ok) return answer;
  const text = await answer.text();
  let told = text;
  try {
    const { detail } = JSON.parse(text);
    told = typeof detail === 'string' ? detail : detail.map((d) => `${d.loc?.at(-1)}: ${d.msg}`).join('; ');
  } catch { /* plain text */ }
  const error = new Error(told || `The studio answers ${answer.status}.`);
  error.status = answer.status;
  throw error;
}

export const get = async (path) => (await ask(path)).json();
export const post = async (path, body = {}) => (await ask(path, body)).json();
export const picture = async (path, body) => URL.createObjectURL(await (await ask(path, body)).blob());
export const at = (name, rest = '') => `/api/runs/${encodeURIComponent(name)}${rest}`;

export const whole = (n) => Math.round(n ?? 0).toLocaleString('en');
export const short = (n) => (n >= 1e6 ? `${+(n / 1e6).toFixed(2)}M` : n >= 1e3 ? `${+(n / 1e3).toFixed(1)}k` : whole(n));
export const percent = (x, digits = 0) => (x === null || x === undefined ? '–' : `${(100 * x).toFixed(digits)}%`);
export const figure = (x) => (x === null || x === undefined ? '–' : Math.abs(x) >= 100 ? x.toFixed(0) : +x.toPrecision(3) + '');

/** Seconds as people say them. */
export function duration(seconds) {
  const minutes = Math.round(seconds / 60);
  if (seconds < 100) return `${Math.round(seconds)} s`;
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** Say something at the bottom of the page, also to a screen reader. */
let fade = 0;
export function say(text) {
  const toast = document.getElementById('toast');
  toast.textContent = text;
  clearTimeout(fade);
  fade = setTimeout(() => { toast.textContent = ''; }, 6000);
}

/** Do something with a button disabled; what goes wrong is said. */
export async function busy(button, work) {
  const text = button.textContent;
  button.disabled = true;
  try { return await work(); }
  catch (error) { say(error.message); return undefined; }
  finally { button.disabled = false; button.textContent = text; }
}

export function save(url, name) {
  const link = h('a', { href: url, download: name });
  link.click();
}

/** The little Markdown of a recipe's card: paragraphs, tables, `code` and **bold**. */
export function marked(text) {
  const inline = (line) => line.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => (part.startsWith('`') ? h('code', {}, part.slice(1, -1)) : part.startsWith('**') ? h('strong', {}, part.slice(2, -2)) : part));
  return text.split(/\n\s*\n/).map((block) => {
    const lines = block.split('\n').map((line) => line.trim());
    if (!lines.every((line) => line.startsWith('|'))) return h('p', {}, inline(lines.join(' ')));
    const cells = (line) => line.slice(1, -1).split('|').map((cell) => cell.trim());
    return h('.scroll', { tabindex: 0, role: 'region', 'aria-label': 'Figures' }, h('table', {}, h('thead', {}, h('tr', {}, cells(lines[0]).map((c) => h('th', { scope: 'col' }, inline(c))))),
      h('tbody', {}, lines.slice(2).map((line) => h('tr', {}, cells(line).map((c) => h('td', {}, inline(c))))))));
  });
}

/** A place to drop a file, with a button for those who do not drop. `take(file)` gets a Blob. */
export function dropping(text, take) {
  const input = h('input', { type: 'file', accept: 'image/*', id: `file${Math.random().toString(36).slice(2)}`,
    change: () => input.files[0] && take(input.files[0]) });
  const zone = h('div.drop', {
    dragover: (event) => { event.preventDefault(); zone.classList.add('over'); },
    dragleave: () => zone.classList.remove('over'),
    drop: (event) => {
      event.preventDefault();
      zone.classList.remove('over');
      if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
    },
  }, h('label', { for: input.id }, text), h('.row', {}, input));
  return zone;
}

/** The colours of the page's theme, for canvases. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

let plotting;
function plotter() {
  plotting ??= new Promise((resolve, reject) => {
    document.head.append(h('link', { rel: 'stylesheet', href: '/static/uPlot.min.css' }));
    document.head.append(h('script', { src: '/static/uPlot.iife.min.js', load: () => resolve(window.uPlot), error: reject }));
  });
  return plotting;
}

/** A chart of curves over images seen; `update(xs, [ys, ...])` sets the data. */
export function chart(title, curves, options = {}) {
  const place = h('.chart', { role: 'img', 'aria-label': title });
  let plot, data = [[], ...curves.map(() => [])], dead = false;
  const axis = () => ({ stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line') } });
  plotter().then((Plot) => {
    if (dead) return;
    plot = new Plot({
      width: Math.max(260, place.clientWidth || 320), height: 210, cursor: { drag: { x: true, y: false } },
      scales: { x: { time: false }, y: options.range ? { range: options.range } : {} },
      axes: [{ ...axis(), values: (_, v) => v.map(short) }, { ...axis(), size: 48, values: (_, v) => v.map(options.form ?? figure) }],
      series: [{ label: 'images', value: (_, v) => (v === null ? '–' : short(v)) },
        ...curves.map(([label, name, dash]) => ({ label, stroke: colour(name), width: 2, dash, spanGaps: true, points: { show: false },
          value: (_, v) => (v === null || v === undefined ? '–' : (options.form ?? figure)(v)) }))],
    }, data, place);
    plot.setLegend({ idx: data[0].length - 1 });
    new ResizeObserver(() => place.clientWidth && plot.setSize({ width: place.clientWidth, height: 210 })).observe(place);
  }).catch(() => place.append('The chart could not be drawn.'));
  return {
    element: h('figure.card', {}, h('h3', {}, title), place, options.words ? h('figcaption.soft', {}, options.words) : null),
    update(xs, ys) {
      data = [xs, ...ys];
      plot?.setData(data);
      plot?.setLegend({ idx: xs.length - 1 });
      const last = ys.map((y, i) => `${curves[i][0]} ${(options.form ?? figure)(y.at(-1))}`).join(', ');
      place.setAttribute('aria-label', `${title}: now ${last}`);
    },
    close() { dead = true; plot?.destroy(); },
  };
}
