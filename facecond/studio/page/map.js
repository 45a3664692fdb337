// Label maps: Uint8Array of size * size, row after row, a class (0..18) or NOTHING; sketches: 0, 1 or NOTHING. Pure functions of arrays; no document, no
// colours. Everything is drawn by integer arithmetic on the array itself, so that no value appears that was not put there.

export const NOTHING = 255;

export const empty = (size) => new Uint8Array(size * size).fill(NOTHING);

export const equal = (a, b) => a.length === b.length && a.every((value, place) => value === b[place]);

export const saysNothing = (values) => values.every((value) => value === NOTHING);

/** Cells [x, y] of a disc of `diameter` cells around (0, 0), or around the corner of four cells where it is even. */
export function disc(diameter) {
  const cells = [], low = -Math.floor((diameter - 1) / 2), high = low + diameter - 1, even = diameter % 2 === 0 ? 1 : 0;
  for (let y = low; y <= high; y++) {
    for (let x = low; x <= high; x++) {
      const far = (2 * x - even) ** 2 + (2 * y - even) ** 2;
      if (far <= diameter * diameter - (diameter > 2 ? 1 : 0) || diameter <= 2) cells.push([x, y]);
    }
  }
  return cells;
}

function stamp(values, size, x, y, cells, label) {
  for (const [right, down] of cells) {
    const column = x + right, row = y + down;
    if (column >= 0 && column < size && row >= 0 && row < size) values[row * size + column] = label;
  }
}

/** Draw a line of `diameter` from one cell to another, both included (Bresenham). */
export function line(values, size, from, to, diameter, label) {
  const cells = disc(diameter);
  let [x, y] = from;
  const across = Math.abs(to[0] - x), down = -Math.abs(to[1] - y);
  const right = x < to[0] ? 1 : -1, below = y < to[1] ? 1 : -1;
  let error = across + down;
  for (;;) {
    stamp(values, size, x, y, cells, label);
    if (x === to[0] && y === to[1]) return;
    const twice = 2 * error;
    if (twice >= down) { error += down; x += right; }
    if (twice <= across) { error += across; y += below; }
  }
}

/** Places of the cells that hang together with (x, y) through sides of cells of the same value. */
export function piece(values, size, x, y) {
  const found = [], value = values[y * size + x], seen = new Uint8Array(size * size), waiting = [y * size + x];
  seen[waiting[0]] = 1;
  while (waiting.length) {
    const place = waiting.pop(), column = place % size;
    found.push(place);
    for (const [next, there] of neighbours(place, column, size)) {
      if (there && !seen[next] && values[next] === value) { seen[next] = 1; waiting.push(next); }
    }
  }
  return found;
}

const neighbours = (place, column, size) => [
  [place - 1, column > 0], [place + 1, column < size - 1], [place - size, place >= size],
  [place + size, place < size * (size - 1)],
];

export function fill(values, size, x, y, label) {
  for (const place of piece(values, size, x, y)) values[place] = label;
}

/** Fill a polygon of cells [x, y], its border included (even-odd; centres of cells, so that all is in whole numbers). */
export function polygon(values, size, points, label) {
  if (points.length === 0) return;
  for (let row = 0; row < size; row++) {
    const crossings = [];
    points.forEach(([x0, y0], number) => {
      const [x1, y1] = points[(number + 1) % points.length];
      if ((y0 <= row) !== (y1 <= row)) crossings.push(Math.floor(x0 + ((row - y0) * (x1 - x0)) / (y1 - y0)));
    });
    crossings.sort((a, b) => a - b);
    for (let pair = 0; pair + 1 < crossings.length; pair += 2) {
      const last = Math.min(crossings[pair + 1], size - 1);
      for (let column = Math.max(crossings[pair] + 1, 0); column <= last; column++) values[row * size + column] = label;
    }
  }
  points.forEach((from, number) => line(values, size, from, points[(number + 1) % points.length], 1, label));
}

/** The mirrored map: left and right of the picture, and of the person (`pairs` of classes), change places. */
export function mirror(values, size, pairs) {
  const table = Uint8Array.from({ length: 256 }, (_, value) => value);
  for (const [left, right] of pairs) { table[left] = right; table[right] = left; }
  return values.map((_, place) => table[values[place - (place % size) + size - 1 - (place % size)]]);
}

/** A copy in which `places` have the values of the nearest other cells, as if what lies there were gone. */
export function without(values, size, places) {
  const gone = new Uint8Array(size * size), rest = values.slice();
  for (const place of places) gone[place] = 1;
  let edge = [];
  for (let place = 0; place < gone.length; place++) {
    if (!gone[place] && neighbours(place, place % size, size).some(([next, there]) => there && gone[next])) edge.push(place);
  }
  if (edge.length === 0) return rest.map((value, place) => (gone[place] ? NOTHING : value));
  while (edge.length) {
    const further = [];
    for (const place of edge) {
      for (const [next, there] of neighbours(place, place % size, size)) {
        if (there && gone[next]) { gone[next] = 0; rest[next] = rest[place]; further.push(next); }
      }
    }
    edge = further;
  }
  return rest;
}

/** A copy in which the cells at `places` (of one value) are moved, and scaled to `percent` around their middle. */
export function moved(values, size, places, right, down, percent) {
  if (places.length === 0 || (right === 0 && down === 0 && percent === 100)) return values.slice();
  const label = values[places[0]], rest = without(values, size, places), there = new Uint8Array(size * size);
  let [left, top, last, bottom] = [size, size, 0, 0];
  for (const place of places) {
    there[place] = 1;
    const x = place % size, y = (place - x) / size;
    left = Math.min(left, x); last = Math.max(last, x); top = Math.min(top, y); bottom = Math.max(bottom, y);
  }
  const middleX = left + last, middleY = top + bottom;  // twice the middle, a whole number
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const fromX = Math.floor((middleX * percent + (2 * (x - right) - middleX) * 100 + percent) / (2 * percent));
      const fromY = Math.floor((middleY * percent + (2 * (y - down) - middleY) * 100 + percent) / (2 * percent));
      const inside = fromX >= 0 && fromX < size && fromY >= 0 && fromY < size;
      if (inside && there[fromY * size + fromX]) rest[y * size + x] = label;
    }
  }
  return rest;
}

/** `values` with the parts of `classes` as `other` has them: what facecond.editing.swap.swap_parts gives for the first map. */
export function exchanged(values, other, classes) {
  const taken = new Set(classes), mixed = new Uint8Array(values.length);
  for (let place = 0; place < values.length; place++) {
    const own = values[place], theirs = other[place];
    const kept = own !== 0 && own !== NOTHING && !taken.has(own) ? own : 0;
    const come = taken.has(theirs) ? theirs : 0;
    mixed[place] = kept || come ? Math.max(kept, come) : own === NOTHING ? NOTHING : 0;  // later classes over earlier ones
  }
  return mixed;
}

export function toRuns(values) {
  const runs = [];
  for (let place = 0; place < values.length; place++) {
    if (runs.length && runs[runs.length - 2] === values[place]) runs[runs.length - 1]++;
    else runs.push(values[place], 1);
  }
  return runs;
}

/** The map that runs [value, length, ...] say, of values below `classes` and NOTHING; throws, naming `what`, where they say none of `size`. */
export function fromRuns(runs, size, what = "label map", classes = 19) {
  const values = new Uint8Array(size * size);
  let place = 0;
  if (!Array.isArray(runs) || runs.length % 2) throw new Error(`this is no ${what}`);
  for (let pair = 0; pair < runs.length; pair += 2) {
    const [value, length] = [runs[pair], runs[pair + 1]];
    const known = Number.isInteger(value) && ((value >= 0 && value < classes) || value === NOTHING);
    if (!known || !Number.isInteger(length) || length < 1 || place + length > values.length) throw new Error(`this is no ${what}`);
    values.fill(value, place, place + length);
    place += length;
  }
  if (place !== values.length) throw new Error(`this ${what} is not ${size} pixels wide and high`);
  return values;
}

/** The central square of a map of `width` x `height`, brought to `size` by picking pixels, as the program does (nearest). */
export function brought(values, width, height, size) {
  const side = Math.min(width, height), left = Math.floor((width - side) / 2), top = Math.floor((height - side) / 2);
  const result = new Uint8Array(size * size);
  for (let y = 0; y < size; y++) {
    const row = top + Math.floor(((2 * y + 1) * side) / (2 * size));
    for (let x = 0; x < size; x++) result[y * size + x] = values[row * width + left + Math.floor(((2 * x + 1) * side) / (2 * size))];
  }
  return result;
}

/** Maps that were there before, as many as `bytes` hold. */
export class History {
  constructor(bytes = 64 << 20) {
    this.bytes = bytes;
    this.before = [];
    this.after = [];
  }
  /** Note `values`, which are about to be replaced. */
  note(values) {
    this.before.push(values.slice());
    this.after = [];
    while (this.before.length * values.length > this.bytes) this.before.shift();
  }
  undo(values) { return this.#step(this.before, this.after, values); }
  redo(values) { return this.#step(this.after, this.before, values); }
  #step(from, to, values) {
    if (from.length === 0) return null;
    to.push(values.slice());
    return from.pop();
  }
}
