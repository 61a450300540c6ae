// Files from the visitor's own machine: dropped or chosen, with folders, sent in portions.
import { h, post, send, whole } from './dom.js';
import { unlike, zip } from './zip.js';

const PORTION = 8_000_000, // bytes
  MANY = 60_000, // files; the zip's format allows 65,535
  ALONE = /\.(zip|csv|parquet)$/i; // files that are sent as they are

/** All files of dropped folders and files: pairs of a path and a File. To be called while the event is handled. */
function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return Promise.resolve([...transfer.files].map((file) => [file.name, file]));
  const found = [];
  const read = (reader) => new Promise((done, failed) => reader.readEntries(done, failed));
  const walk = async (entry) => {
    if (found.length > MANY) return;
    if (entry.isFile) found.push([entry.fullPath.slice(1), await new Promise((done, failed) => entry.file(done, failed))]);
    else {
      const reader = entry.createReader();
      for (let part = await read(reader); part.length; part = await read(reader)) for (const one of part) await walk(one);
    }
  };
  return (async () => {
    for (const entry of entries) await walk(entry);
    return found;
  })();
}

/** What is sent of these files: its name, its content as a Blob, and what is to be said. */
async function packed(files) {
  const seen = files.filter(([path]) => !path.split('/').some((part) => part.startsWith('.')));
  if (!seen.length) throw new Error('There are no files in it.');
  if (seen.length === 1 && ALONE.test(seen[0][0])) return { name: seen[0][1].name, content: seen[0][1], note: '' };
  const kept = seen.filter(([path]) => !ALONE.test(path)),
    alone = seen.length - kept.length;
  if (!kept.length) throw new Error('One archive or table at a time. Drop one of them.');
  if (kept.length > MANY) throw new Error(`There are more than ${whole(MANY)} files. Make a zip of them, or use a folder inside the studio's.`);
  const paths = unlike(kept.map(([path]) => path)),
    top = paths[0].includes('/') ? paths[0].split('/')[0] : '';
  const day = new Date().toISOString().slice(0, 10);
  const content = await zip(paths.map((path, i) => [path, kept[i][1]]));
  const note = alone ? `${whole(alone)} ${alone > 1 ? 'archives or tables were' : 'archive or table was'} skipped: drop each alone.` : '';
  return { name: `${top || `files-${day}`}.zip`, content, note };
}

/**
 * Send files to the studio.
 * @param files pairs of a path and a File
 * @param task that is to learn from them
 * @param tell is given the share that is sent, 0 to 1
 * @param signal ends it
 * @returns {Promise<object>} what was found: path, count, recipe, notes
 */
export async function upload(files, task, tell, signal) {
  const { name, content, note } = await packed(files);
  const { key } = await post('/api/uploads', { name, size: content.size });
  try {
    for (let at = 0; at < content.size; at += PORTION) {
      if (signal.aborted) throw new Error('The upload was cancelled.');
      tell(at / content.size);
      const part = content.slice(at, at + PORTION);
      await send(`/api/uploads/${key}/portion?offset=${at}`, part, 'application/octet-stream');
    }
    tell(1);
  } catch (error) {
    post('/api/uploads/delete', { name: key }).catch(() => {});
    throw error;
  }
  const found = await post(`/api/uploads/${key}/finish`, { task });
  return { ...found, notes: [note, ...found.notes].filter(Boolean) };
}

/**
 * An area to drop files and folders on, with a button to choose files.
 * @param use gets pairs of a path and a File, as a promise
 */
export function dropArea(text, accept, use) {
  const input = h('input.unseen', {
    type: 'file',
    accept: accept.join(','),
    multiple: true,
    id: `file${Math.random().toString(36).slice(2)}`,
    change: () => {
      const files = [...input.files].map((file) => [file.name, file]);
      input.value = ''; // the same files can be chosen again
      if (files.length) use(Promise.resolve(files));
    },
  });
  const zone = h(
    'div.drop.new-drop',
    {
      dragover: () => zone.classList.add('over'), // the browser's own handling of files is off on all pages
      dragleave: () => zone.classList.remove('over'),
      drop: (event) => {
        zone.classList.remove('over');
        use(dropped(event.dataTransfer));
      },
    },
    h('span', {}, text),
    input,
    h('label.button', { for: input.id }, 'Choose files'),
  );
  return zone;
}
