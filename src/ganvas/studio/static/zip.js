// A zip of files, stored without compression: pictures are compressed already.

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(bytes) {
  let c = 0xffffffff;
  for (const byte of bytes) c = TABLE[(c ^ byte) & 255] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** Numbers as little-endian bytes: `fields` are pairs of a number and its bytes. */
function record(fields) {
  const bytes = [];
  for (const [value, size] of fields) for (let i = 0; i < size; i += 1) bytes.push((value / 2 ** (8 * i)) & 255);
  return Uint8Array.from(bytes);
}

const UTF8 = 0x0800; // names are UTF-8
const DAY = 0x0021; // 1 January 1980: the format's first day

/** `files`: pairs of a name and a Blob, 4 GB in all at most -> a Blob. Format: PKWARE's APPNOTE 6.3. */
export async function zip(files) {
  const parts = [],
    entries = [];
  let offset = 0;
  for (const [name, blob] of files) {
    const content = new Uint8Array(await blob.arrayBuffer()),
      title = new TextEncoder().encode(name);
    const about = [
      [20, 2],
      [UTF8, 2],
      [0, 2],
      [0, 2],
      [DAY, 2],
      [crc32(content), 4],
      [content.length, 4],
      [content.length, 4],
      [title.length, 2],
      [0, 2],
    ];
    const head = record([[0x04034b50, 4], ...about]);
    const rest = [
      [0, 2],
      [0, 2],
      [0, 2],
      [0, 4],
      [offset, 4],
    ];
    entries.push(record([[0x02014b50, 4], [20, 2], ...about, ...rest]), title);
    parts.push(head, title, blob); // not its content: many large files need not be in memory together
    offset += head.length + title.length + content.length;
  }
  const size = entries.reduce((sum, part) => sum + part.length, 0);
  const end = record([
    [0x06054b50, 4],
    [0, 2],
    [0, 2],
    [files.length, 2],
    [files.length, 2],
    [size, 4],
    [offset, 4],
    [0, 2],
  ]);
  return new Blob([...parts, ...entries, end], { type: 'application/zip' });
}

/** Names without two alike: the second becomes `name-2.jpg`. */
export function unlike(names) {
  const seen = new Set();
  return names.map((name) => {
    const dot = name.lastIndexOf('.'),
      [stem, end] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
    let other = name;
    for (let i = 2; seen.has(other); i += 1) other = `${stem}-${i}${end}`;
    seen.add(other);
    return other;
  });
}
