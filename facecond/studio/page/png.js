// PNG files, as far as the page needs them: text that travels in a picture, label maps, whose pixel value is the class, which a
// canvas cannot read (it gives colours) or write, and sketches, which are written alone: the program reads them.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const MOST_SIDE = 8192;

export const isPng = (bytes) => SIGNATURE.every((value, place) => bytes[place] === value);

function chunks(bytes) {
  if (!isPng(bytes)) throw new Error("this is no PNG");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), found = [];
  for (let start = 8; start + 12 <= bytes.length; ) {
    const length = view.getUint32(start), end = start + 12 + length;
    if (end > bytes.length) throw new Error("this PNG is damaged");
    const kind = String.fromCharCode(...bytes.subarray(start + 4, start + 8));
    found.push({ kind, start, end, data: bytes.subarray(start + 8, start + 8 + length) });
    start = end;
  }
  return found;
}

let table = null;
function crc(bytes) {
  table ??= Uint32Array.from({ length: 256 }, (_, number) => {
    for (let bit = 0; bit < 8; bit++) number = number & 1 ? 0xedb88320 ^ (number >>> 1) : number >>> 1;
    return number;
  });
  let value = 0xffffffff;
  for (const byte of bytes) value = table[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function chunk(kind, data) {
  const bytes = new Uint8Array(12 + data.length), view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let place = 0; place < 4; place++) bytes[4 + place] = kind.charCodeAt(place);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

function joined(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) { bytes.set(part, place); place += part.length; }
  return bytes;
}

/** The PNG with `text` under `keyword`, as an iTXt chunk before its end. */
export function withText(bytes, keyword, text) {
  const end = chunks(bytes).find((each) => each.kind === "IEND");
  if (!end) throw new Error("this PNG is damaged");
  const head = new TextEncoder().encode(`${keyword}\0\0\0\0\0`);  // not compressed, no language, no translated keyword
  return joined([bytes.subarray(0, end.start), chunk("iTXt", joined([head, new TextEncoder().encode(text)])), bytes.subarray(end.start)]);
}

/** What stands in the PNG under `keyword`, null for nothing. */
export function textOf(bytes, keyword) {
  for (const { kind, data } of chunks(bytes)) {
    if (kind !== "iTXt") continue;
    const ends = [data.indexOf(0)];
    if (new TextDecoder("latin1").decode(data.subarray(0, ends[0])) !== keyword || data[ends[0] + 1] !== 0) continue;
    const language = data.indexOf(0, ends[0] + 3), translated = data.indexOf(0, language + 1);
    return new TextDecoder().decode(data.subarray(translated + 1));
  }
  return null;
}

async function through(stream, bytes, most) {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader(), parts = [];
  for (let length = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return joined(parts);
    length += value.length;
    if (length > most) { await reader.cancel(); throw new Error("this PNG holds more than it says"); }
    parts.push(value);
  }
}

/**
 * The label map in a PNG: {values, width, height}, or null for a picture in colours. Grey and palette files hold the labels
 * themselves. Throws, in one line, for a file that is damaged or too large.
 */
export async function labelsOf(bytes) {
  const all = chunks(bytes), head = all[0];
  if (!head || head.kind !== "IHDR" || head.data.length !== 13) throw new Error("this PNG is damaged");
  const view = new DataView(head.data.buffer, head.data.byteOffset, 13);
  const [width, height, depth, kind, interlaced] = [view.getUint32(0), view.getUint32(4), head.data[8], head.data[9], head.data[12]];
  if (!width || !height || width > MOST_SIDE || height > MOST_SIDE) throw new Error(`a map is at most ${MOST_SIDE} pixels wide and high`);
  const channels = CHANNELS[kind];
  if (!channels || depth > 8 || (kind !== 0 && kind !== 3 && depth !== 8)) return null;
  if (interlaced) throw new Error("this PNG is interlaced; save it without that");
  const stride = Math.ceil((width * channels * depth) / 8), step = Math.max(1, (channels * depth) >> 3);
  const packed = joined(all.filter((each) => each.kind === "IDAT").map((each) => each.data));
  const raw = await through(new DecompressionStream("deflate"), packed, (stride + 1) * height);
  if (raw.length !== (stride + 1) * height) throw new Error("this PNG is damaged");
  const rows = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) unfilter(raw, rows, y, stride, step);
  const values = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * stride + x * channels;
      if (depth < 8) values[y * width + x] = (rows[y * stride + ((x * depth) >> 3)] >> (8 - depth - ((x * depth) & 7))) & ((1 << depth) - 1);
      else values[y * width + x] = rows[at];
      if ((kind === 2 || kind === 6) && (rows[at] !== rows[at + 1] || rows[at] !== rows[at + 2])) return null;
      if ((kind === 4 || kind === 6) && rows[at + channels - 1] !== 255) return null;
    }
  }
  return { values, width, height };
}

function unfilter(raw, rows, y, stride, step) {
  const kind = raw[y * (stride + 1)], from = y * (stride + 1) + 1, to = y * stride;
  for (let x = 0; x < stride; x++) {
    const left = x >= step ? rows[to + x - step] : 0, up = y ? rows[to + x - stride] : 0;
    const corner = x >= step && y ? rows[to + x - stride - step] : 0;
    const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][kind] ?? 0;
    rows[to + x] = raw[from + x] + guess;
  }
}

function paeth(left, up, corner) {
  const sum = left + up - corner, [a, b, c] = [Math.abs(sum - left), Math.abs(sum - up), Math.abs(sum - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** A PNG whose pixel values are the labels, in the colours `palette` ("#rrggbb" by class); 255 is shown white. */
export async function labelPng(values, size, palette) {
  const colours = new Uint8Array(768);
  for (let value = 0; value < 256; value++) {
    const colour = palette[value] ? parseInt(palette[value].slice(1), 16) : value * 0x010101;
    colours.set([colour >> 16, (colour >> 8) & 255, colour & 255], 3 * value);
  }
  return written(values, size, 3, [chunk("PLTE", colours)]);
}

/** A PNG of a sketch as `facecond sample --sketch` reads it: black lines (1) on white (0), transparent where nothing is said (255). */
export async function sketchPng(values, size) {
  const grey = new Uint8Array(2 * values.length);
  values.forEach((value, place) => grey.set([value === 1 ? 0 : 255, value === 255 ? 0 : 255], 2 * place));
  return written(grey, size, 4, []);
}

async function written(samples, size, kind, before) {
  const head = new Uint8Array(13), view = new DataView(head.buffer), stride = size * CHANNELS[kind];
  view.setUint32(0, size);
  view.setUint32(4, size);
  head.set([8, kind, 0, 0, 0], 8);
  const rows = new Uint8Array((stride + 1) * size);
  for (let y = 0; y < size; y++) rows.set(samples.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1);
  const packed = await through(new CompressionStream("deflate"), rows, Infinity);
  return joined([Uint8Array.from(SIGNATURE), chunk("IHDR", head), ...before, chunk("IDAT", packed), chunk("IEND", new Uint8Array())]);
}
