// What all pages share: elements, requests, numbers as text.

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
  element.append(...children.flat());
  return element;
}

/** A request; an unsuccessful answer becomes an error with the server's message. */
export async function send(path, body, type = 'application/json') {
  const options =
    body === undefined
      ? {}
      : {
          method: 'POST',
          headers: { 'X-Ganvas': '1', 'Content-Type': type },
          body: type === 'application/json' ? JSON.stringify(body) : body,
        };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error('The studio is not responding. Is it still running?');
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let message = /^[^<]{1,300}$/.test(text) ? text : ''; // not a proxy's HTML page
  try {
    const { detail } = JSON.parse(text);
    message = typeof detail === 'string' ? detail : detail.map((d) => `${d.loc?.at(-1)}: ${d.msg}`).join('; ');
  } catch {
    /* plain text */
  }
  const error = new Error(message || `The studio answered with error ${answer.status}.`);
  error.status = answer.status;
  throw error;
}

export const get = async (path) => (await send(path)).json();
export const post = async (path, body = {}) => (await send(path, body)).json();
export const picture = async (path, body) => URL.createObjectURL(await (await send(path, body)).blob());
/** A run's name for people: a part of a training in several comes after it. */
export const titleOf = (name) => name.replace('~', ' › ').replace(/^@/, ''); // @: a model that comes with Ganvas
/** The API's address of a run. */
export const runPath = (name, rest = '') => `/api/runs/${encodeURIComponent(name)}${rest}`;

export const whole = (n) => Math.round(n ?? 0).toLocaleString('en');
export const short = (n) =>
  n >= 1e6 ? `${+(n / 1e6).toFixed(2)}M` : n >= 1e3 ? `${+(n / 1e3).toFixed(1)}k` : whole(n);
export const percent = (x, digits = 0) => (x === null || x === undefined ? '–' : `${(100 * x).toFixed(digits)}%`);
export const figure = (x) =>
  x === null || x === undefined ? '–' : Math.abs(x) >= 100 ? x.toFixed(0) : +x.toPrecision(3) + '';

/** A run's best figure as text, after `before`; nothing where there is none. */
export const bestFigure = (run, before) =>
  run.figure ? `${before}${run.figure.title} ${figure(run.figure.value)}${run.figure.unit}` : '';

/** Seconds as text for people. */
export function duration(seconds) {
  const minutes = Math.round(seconds / 60);
  if (seconds < 100) return `${Math.round(seconds)} s`;
  return minutes < 100
    ? `${minutes} min`
    : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** Show a message at the bottom of the page, also to screen readers. */
let fade = 0;
export function say(text) {
  const toast = document.getElementById('toast');
  toast.textContent = text;
  clearTimeout(fade);
  fade = setTimeout(() => {
    toast.textContent = '';
  }, 6000);
}

/** Disable a button during some work (it keeps the focus); an error is shown as a message. */
export async function busy(button, work) {
  if (button.getAttribute('aria-disabled') === 'true') return undefined;
  button.setAttribute('aria-disabled', 'true');
  try {
    return await work();
  } catch (error) {
    say(error.message);
    return undefined;
  } finally {
    button.removeAttribute('aria-disabled');
  }
}

/** Only the newest of several requests counts: `const isNewest = turn();` before the request, `isNewest()` after. */
export function turns() {
  let newest = 0;
  return () => {
    const number = (newest += 1);
    return () => number === newest;
  };
}

export function save(url, name) {
  const link = h('a', { href: url, download: name });
  link.click();
}

/** A button that makes a page of a run's model, which opens in any browser, and saves it. */
export function exportButton(name) {
  const button = h(
    'button.owner',
    {
      id: 'export',
      click: () =>
        busy(button, async () => {
          button.textContent = 'Making the page (about half a minute) …';
          try {
            const url = URL.createObjectURL(await (await send(runPath(name, '/page'), {})).blob());
            save(url, `${titleOf(name)}.html`);
            setTimeout(() => URL.revokeObjectURL(url), 60_000);
            say('Saved. The page opens in any browser and needs no network.');
          } finally {
            button.textContent = 'Export page';
          }
        }),
    },
    'Export page',
  );
  return button;
}

/** A table in a box that scrolls by itself; the first cell of each row names it where `named`. */
export function table(title, head, rows, named = false) {
  const cells = (row) => row.map((cell, i) => (named && i === 0 ? h('th', { scope: 'row' }, cell) : h('td', {}, cell)));
  const names = head.map((cell) => h('th', { scope: 'col' }, cell));
  const body = rows.map((row) => h('tr', {}, cells(row)));
  const box = h('table', {}, h('thead', {}, h('tr', {}, names)), h('tbody', {}, body));
  return h('.scroll', { tabindex: 0, role: 'region', 'aria-label': title }, box);
}

/** The subset of Markdown in a recipe's card: paragraphs, tables, `code` and **bold**. */
export function markdown(text) {
  const styled = (part) => {
    if (part.startsWith('`')) return h('code', {}, part.slice(1, -1));
    return part.startsWith('**') ? h('strong', {}, part.slice(2, -2)) : part;
  };
  const inline = (line) => line.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map(styled);
  const cells = (line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => inline(cell.trim()));
  return text.split(/\n\s*\n/).map((block) => {
    const lines = block.split('\n').map((line) => line.trim());
    if (!lines.every((line) => line.startsWith('|'))) return h('p', {}, inline(lines.join(' ')));
    return table('Figures', cells(lines[0]), lines.slice(2).map(cells));
  });
}

/**
 * An area to drop files on, with a button to choose some.
 * @param use gets a Blob, or with `many` a list of them
 * @param accept of which type; `many`: several at once
 */
export function dropZone(text, use, accept = 'image/*', many = false) {
  const receive = (files) => {
    if (!files.length) return;
    if (many) {
      use(files);
      return;
    }
    if (files.length > 1) say('Only one file at a time: the first one is used.');
    use(files[0]);
  };
  const input = h('input.unseen', {
    type: 'file',
    accept,
    multiple: many,
    id: `file${Math.random().toString(36).slice(2)}`,
    change: () => {
      receive([...input.files]);
      input.value = ''; // the same file can be chosen again
    },
  });
  const zone = h(
    'div.drop',
    {
      dragover: () => zone.classList.add('over'), // the browser's own handling of files is off on all pages
      dragleave: () => zone.classList.remove('over'),
      drop: (event) => {
        zone.classList.remove('over');
        receive([...event.dataTransfer.files]);
      },
    },
    h('p', {}, text),
    input,
    h('label.button', { for: input.id }, many ? 'Choose files' : 'Choose a file'),
  );
  return zone;
}

/** The pages of a run; `current` is the title of the one that is shown. */
export function tabs(name, run, current) {
  const to = encodeURIComponent(name),
    pages = [['', run.shipped ? 'About' : 'Training'], ...run.part.pages.map((page) => [`/${page.address}`, page.title])];
  const links = pages.map(([path, title]) =>
    h('a', { href: `#/run/${to}${path}`, 'aria-current': title === current ? 'page' : null }, title),
  );
  return h(
    'nav.tabs',
    { 'aria-label': `Pages of ${run.title ?? titleOf(name)}` },
    links,
    run.abilities.includes('apply') ? h('a', { href: `#/restore/${to}` }, 'Use it') : null,
  );
}
