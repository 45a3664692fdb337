// The canvas: shows a map or a sketch, and turns pointers and keys into changes of its array (map.js). What is shown is made of the array;
// nothing is ever read from the canvas.

import { NOTHING, History, disc, empty, equal, fill, line, moved, piece, polygon, saysNothing } from "./map.js";

/** `strokes`: draws strokes; `ink`: the value that it puts down, whatever is chosen. */
export const TOOLS = [
  { name: "brush", key: "b", strokes: true, sign: "M3 13l.8-3.200L11 2.600l2.400 2.400-7.200 7.200z", words: "Brush" },
  { name: "eraser", key: "e", strokes: true, ink: NOTHING, sign: "M6 13h7M2.500 9.500 9 3l4 4-6 6H5.500z", words: "Eraser: nothing said" },
  { name: "fill", key: "f", sign: "M3 8.500 8 3.500l5 5-4.500 4.500zM8 3.500 6.500 2M3 8.500h10M14 11.500v1", words: "Fill a piece" },
  { name: "lasso", key: "p", sign: "M8 2.500c3.500 0 6 1.600 6 3.900s-2.500 3.900-6 3.900-6-1.600-6-3.900 2.500-3.900 6-3.900M5 9.900c-1.500 1-1.500 2.600 0 3.600", words: "Lasso: draw around, or click corner by corner" },
  { name: "move", key: "m", sign: "M8 2v12M2 8h12M6.200 3.800 8 2l1.800 1.800M6.200 12.200 8 14l1.800-1.800M3.800 6.200 2 8l1.800 1.800M12.200 6.200 14 8l-1.800 1.800", words: "Move and scale a part" },
  { name: "hand", key: "h", sign: "M5 9V4.200a1 1 0 0 1 2 0V7 3a1 1 0 0 1 2 0v4-3.200a1 1 0 0 1 2 0V8 5.800a1 1 0 0 1 2 0V10c0 2.500-1.600 4-4 4-2.200 0-3-.8-4-2.500L3 8.700c-.5-1 .8-1.800 1.400-.8z", words: "Move the view" },
];

const LARGEST = 16;

export class Painter {
  /**
   * `size` cells, colours "#rrggbb" by value, `tools` as TOOLS. `ground` is what lies everywhere below the first ink of another
   * value on a drawing that says nothing; null = nothing does. on.begin() when a change begins, on.change() when one is complete, on.look(cell)
   * when the cursor is over another cell, on.state() when zoom, lasso or a lifted part change.
   */
  constructor(canvas, size, colours, on, { tools = TOOLS, ground = null, label = 1, diameter = 3 } = {}) {
    Object.assign(this, { canvas, size, on, tools, ground, label, diameter, tool: tools[0].name });
    this.values = empty(size);
    this.history = new History();
    this.scale = 1;
    this.corner = [0, 0];
    this.cursor = [size >> 1, size >> 1];
    this.hovering = false;
    this.corners = [];
    this.lifted = null;
    this.paint = document.createElement("canvas");
    this.paint.width = this.paint.height = size;
    this.table = new Uint32Array(256);
    const bytes = new Uint8Array(this.table.buffer);
    colours.forEach((colour, label) => {
      const number = parseInt(colour.slice(1), 16);
      bytes.set([number >> 16, (number >> 8) & 255, number & 255, 255], 4 * label);
    });
    this.pointers = new Map();
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, (event) => this.#up(event));
    canvas.addEventListener("pointerleave", () => { this.hovering = false; this.show(); });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(this.scale * (event.deltaY < 0 ? 1.25 : 0.8), this.#at(event));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    new ResizeObserver(() => this.show()).observe(canvas);
  }

  get own() { return this.tools.find(({ name }) => name === this.tool); }
  get inked() { return this.own.ink ?? this.label; }

  /** Replace the drawing, as one change that can be undone; it is not reported. Returns whether it was another. */
  replace(values) {
    this.settle();
    if (equal(values, this.values)) return false;
    this.history.note(this.values);
    this.values = values.slice();
    this.show();
    return true;
  }

  undo() { this.#restored("undo"); }
  redo() { this.#restored("redo"); }
  #restored(which) {
    this.settle();
    const values = this.history[which](this.values);
    if (values) { this.values = values; this.#changed(); }
  }

  choose(tool) {
    this.settle();
    this.tool = tool;
    this.show();
  }

  zoom(scale, around = [this.size / 2, this.size / 2]) {
    const next = Math.min(LARGEST, Math.max(1, scale));
    this.corner = this.corner.map((start, axis) => around[axis] - ((around[axis] - start) * this.scale) / next);
    this.scale = next;
    this.#keepInside();
    this.on.state();
    this.show();
  }

  #keepInside() {
    const most = this.size - this.size / this.scale;
    this.corner = this.corner.map((start) => Math.min(most, Math.max(0, start)));
  }

  /** End what is half done: a lasso is dropped, a lifted part stays where it was put. */
  settle() {
    this.corners = [];
    if (this.lifted) {
      const lifted = this.lifted;
      this.lifted = null;
      if (!equal(lifted.before, this.values)) {
        const now = this.values;
        this.history.note(lifted.before);
        this.values = now;
        this.#changed();
      }
    }
    this.on.state();
    this.show();
  }

  /** Lift the piece at a cell, or all cells of its class. */
  lift(cell, whole = false) {
    this.settle();
    const label = this.values[cell[1] * this.size + cell[0]];
    const places = whole ? [...this.values.keys()].filter((place) => this.values[place] === label) : piece(this.values, this.size, ...cell);
    this.lifted = { before: this.values.slice(), places, right: 0, down: 0, percent: 100, label };
    this.on.state();
    this.show();
  }

  shift(right, down, percent = this.lifted?.percent) {
    if (!this.lifted) return;
    Object.assign(this.lifted, { right, down, percent });
    this.values = moved(this.lifted.before, this.size, this.lifted.places, right, down, percent);
    this.show();
  }

  closeLasso() {
    const corners = this.corners;
    if (corners.length < 2) return this.settle();
    this.corners = [];
    this.#whole(() => polygon(this.values, this.size, corners, this.inked));
    this.on.state();
  }

  #whole(change) {
    const before = this.values.slice();
    this.on.begin();
    this.#lay();
    change();
    if (!equal(before, this.values)) {
      this.history.note(before);
      this.#changed();
    } else this.on.change();
  }

  #lay() {
    if (this.ground !== null && this.inked !== NOTHING && this.inked !== this.ground && saysNothing(this.values)) this.values.fill(this.ground);
  }

  #changed() {
    this.show();
    this.on.change();
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect(), cell = this.size / this.scale / box.width;
    return [this.corner[0] + (event.clientX - box.left) * cell, this.corner[1] + (event.clientY - box.top) * cell];
  }

  #cell(event) {
    return this.#at(event).map((place) => Math.min(this.size - 1, Math.max(0, Math.floor(place))));
  }

  #down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size === 2) {  // two fingers move and zoom
      this.#giveUp();
      return;
    }
    const cell = this.#cell(event), panning = event.button === 1 || this.tool === "hand";
    this.cursor = cell;
    if (panning) this.doing = { kind: "pan", from: [event.clientX, event.clientY], corner: this.corner };
    else if (event.button === 2) { this.on.pick(this.values[cell[1] * this.size + cell[0]]); return; }
    else if (this.tool === "fill") this.use(cell);
    else if (this.tool === "move") {
      const there = this.lifted && this.values[cell[1] * this.size + cell[0]] === this.lifted.label;
      if (!there) this.lift(cell, event.shiftKey);
      this.on.begin();
      this.doing = { kind: "move", from: cell, right: this.lifted.right, down: this.lifted.down };
    } else if (this.tool === "lasso") {
      this.doing = { kind: "lasso", drawn: false };
      this.corners.push(cell);
      this.on.state();
    } else {
      this.on.begin();
      this.doing = { kind: "stroke", last: cell, before: this.values.slice() };
      this.#lay();
      line(this.values, this.size, cell, cell, this.diameter, this.inked);
    }
    event.preventDefault();
    this.show();
  }

  #move(event) {
    this.hovering = true;
    const before = this.cursor;
    if (this.pointers.has(event.pointerId) && this.pointers.size === 2) {
      const two = () => [...this.pointers.values()];
      const [a, b] = two(), width = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
      const middle = [(a.clientX + b.clientX) / 2, (a.clientY + b.clientY) / 2];
      this.pointers.set(event.pointerId, event);
      const [c, d] = two(), wider = Math.hypot(c.clientX - d.clientX, c.clientY - d.clientY);
      const cell = this.size / this.scale / this.canvas.getBoundingClientRect().width;
      const now = [(c.clientX + d.clientX) / 2, (c.clientY + d.clientY) / 2];
      this.corner = this.corner.map((start, axis) => start - (now[axis] - middle[axis]) * cell);
      this.zoom(this.scale * (wider / Math.max(1, width)), this.#at({ clientX: now[0], clientY: now[1] }));
      return;
    }
    if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, event);
    for (const each of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) this.#moveTo(each);
    if (before[0] !== this.cursor[0] || before[1] !== this.cursor[1]) this.on.look(this.cursor, false);
    this.show();
  }

  #moveTo(event) {
    const cell = this.#cell(event), doing = this.doing;
    this.cursor = cell;
    if (!doing) return;
    if (doing.kind === "pan") {
      const box = this.canvas.getBoundingClientRect(), per = this.size / this.scale / box.width;
      this.corner = doing.corner.map((start, axis) => start - ([event.clientX, event.clientY][axis] - doing.from[axis]) * per);
      this.#keepInside();
    } else if (doing.kind === "stroke") {
      line(this.values, this.size, doing.last, cell, this.diameter, this.inked);
      doing.last = cell;
    } else if (doing.kind === "lasso") {
      const last = this.corners[this.corners.length - 1];
      if (last[0] !== cell[0] || last[1] !== cell[1]) { this.corners.push(cell); doing.drawn = true; this.on.state(); }
    } else if (doing.kind === "move") this.shift(doing.right + cell[0] - doing.from[0], doing.down + cell[1] - doing.from[1]);
  }

  #up(event) {
    const doing = this.doing;
    this.pointers.delete(event.pointerId);
    this.doing = null;
    if (!doing) return;
    if (doing.kind === "stroke") {
      if (event.type === "pointercancel") this.values = doing.before;
      if (!equal(doing.before, this.values)) this.history.note(doing.before);
      this.#changed();
    } else if (doing.kind === "lasso") {
      const [first, last] = [this.corners[0], this.corners[this.corners.length - 1]];
      const closed = this.corners.length > 2 && Math.abs(first[0] - last[0]) <= 1 && Math.abs(first[1] - last[1]) <= 1;
      if (doing.drawn || closed) this.closeLasso();
    } else if (doing.kind === "move") this.on.change();
    this.show();
  }

  #giveUp() {
    if (this.doing?.kind === "stroke") this.values = this.doing.before;
    this.doing = null;
    this.#changed();
  }

  /** Use the tool on one cell, as a key or a click does. */
  use(cell) {
    if (this.tool === "fill") this.#whole(() => fill(this.values, this.size, ...cell, this.inked));
    else if (this.tool === "lasso") { this.corners.push(cell); this.on.state(); this.show(); }
    else if (this.tool === "move") this.lift(cell);
    else if (this.tool !== "hand") this.stroke(cell, cell);
  }

  /** One stroke from a cell to another. */
  stroke(from, to) {
    this.#whole(() => line(this.values, this.size, from, to, this.diameter, this.inked));
  }

  #key(event) {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }, by = arrows[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (by) {
      const far = this.tool === "hand" ? 4 : 1;
      if (this.lifted) this.shift(this.lifted.right + by[0], this.lifted.down + by[1]);
      else if (this.tool === "hand") { this.corner = this.corner.map((start, axis) => start + far * by[axis]); this.#keepInside(); }
      else {
        const from = this.cursor;
        this.cursor = from.map((place, axis) => Math.min(this.size - 1, Math.max(0, place + by[axis])));
        if (event.shiftKey && this.own.strokes) this.stroke(from, this.cursor);
        this.on.look(this.cursor, true);
      }
      this.hovering = true;
    } else if (event.key === " " || event.key === "Enter") {
      if (this.lifted) this.settle();
      else if (event.key === "Enter" && this.tool === "lasso" && this.corners.length > 2) this.closeLasso();
      else this.use(this.cursor);
    } else if (event.key === "Escape") {
      if (this.lifted) { this.values = this.lifted.before; this.lifted = null; this.on.state(); }
      else if (this.corners.length) this.settle();
      else return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
    this.show();
  }

  show() {
    if (!this.waiting) this.waiting = requestAnimationFrame(() => { this.waiting = null; this.#show(); });
  }

  #show() {
    const { canvas, size, scale, corner } = this, side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (!side) return;
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const picture = new ImageData(size, size), cells = new Uint32Array(picture.data.buffer);
    for (let place = 0; place < cells.length; place++) cells[place] = this.table[this.values[place]];
    this.paint.getContext("2d").putImageData(picture, 0, 0);
    const drawing = canvas.getContext("2d"), per = (side * scale) / size;
    drawing.setTransform(1, 0, 0, 1, 0, 0);
    drawing.clearRect(0, 0, side, side);
    drawing.imageSmoothingEnabled = false;
    drawing.setTransform(per, 0, 0, per, -corner[0] * per, -corner[1] * per);
    drawing.drawImage(this.paint, 0, 0);
    if (per >= 18 * devicePixelRatio) this.#lines(drawing, per);
    if (this.lifted) this.#outline(drawing, per);
    if (this.corners.length) this.#lasso(drawing, per);
    if (this.hovering && !this.doing?.kind?.startsWith("pan")) this.#brush(drawing, per);
  }

  #lines(drawing, per) {
    drawing.fillStyle = "rgb(128 128 128 / .35)";
    for (let cell = 0; cell <= this.size; cell++) {
      drawing.fillRect(cell, 0, 1 / per, this.size);
      drawing.fillRect(0, cell, this.size, 1 / per);
    }
  }

  #twice(drawing, per, path) {
    for (const [colour, width] of [["#000c", 3], ["#fff", 1.25]]) {
      drawing.strokeStyle = colour;
      drawing.lineWidth = (width * devicePixelRatio) / per;
      drawing.stroke(path);
    }
  }

  #edges(cells) {
    const path = new Path2D(), there = new Set(cells.map(([x, y]) => `${x},${y}`));
    for (const [x, y] of cells) {
      if (!there.has(`${x - 1},${y}`)) { path.moveTo(x, y); path.lineTo(x, y + 1); }
      if (!there.has(`${x + 1},${y}`)) { path.moveTo(x + 1, y); path.lineTo(x + 1, y + 1); }
      if (!there.has(`${x},${y - 1}`)) { path.moveTo(x, y); path.lineTo(x + 1, y); }
      if (!there.has(`${x},${y + 1}`)) { path.moveTo(x, y + 1); path.lineTo(x + 1, y + 1); }
    }
    return path;
  }

  #brush(drawing, per) {
    const wide = this.own.strokes ? disc(this.diameter) : [[0, 0]];
    this.#twice(drawing, per, this.#edges(wide.map(([x, y]) => [x + this.cursor[0], y + this.cursor[1]])));
  }

  #outline(drawing, per) {
    const { before, places, right, down, percent } = this.lifted;
    const only = empty(this.size), mark = 1;
    for (const place of places) only[place] = mark;
    const shifted = moved(only, this.size, places, right, down, percent), cells = [];
    shifted.forEach((value, place) => {
      if (value === mark) cells.push([place % this.size, Math.floor(place / this.size)]);
    });
    if (before) this.#twice(drawing, per, this.#edges(cells));
  }

  #lasso(drawing, per) {
    const path = new Path2D();
    this.corners.forEach(([x, y], number) => path[number ? "lineTo" : "moveTo"](x + 0.5, y + 0.5));
    if (this.corners.length === 1) path.lineTo(this.corners[0][0] + 0.51, this.corners[0][1] + 0.5);
    if (!this.doing) path.lineTo(this.cursor[0] + 0.5, this.cursor[1] + 0.5);
    this.#twice(drawing, per, path);
    const [x, y] = this.corners[0], dot = new Path2D();
    dot.rect(x, y, 1, 1);
    this.#twice(drawing, per, dot);
  }
}
