// What stands around the canvas: the layer that is on show, its tools, sizes, zoom, and what is painted with. The canvas itself is
// painter.js. Each layer is a drawing of its own, with its own undo: undo never changes what is not on show.

import { $, icon, made } from "./dom.js";
import { drawn, layersOf } from "./layers.js";
import { empty, mirror, toRuns } from "./map.js";
import { Painter } from "./painter.js";

const LARGEST_BRUSH = 24;

export class Drawing {
  /**
   * on.begin() when a change begins, on.change() when one is complete, on.soon() while a slider moves, on.keep() when something
   * else has changed that is kept, on.say(text).
   */
  constructor(about, on) {
    Object.assign(this, { about, on, painters: {} });
    this.layers = layersOf(about);
    this.told = Object.keys(this.layers).filter((name) => about.runs.some((run) => run[name]));
    this.layer = this.told[0] ?? "map";
    for (const [name, layer] of Object.entries(this.layers)) this.painters[name] = this.#painter(layer);
    this.#makeSwitch();
    this.#listen();
    this.turn(this.layer);
  }

  #painter({ canvas, what, inks, tools, ground, ink, diameter }) {
    const place = $(canvas), { size } = this.about, colours = [];
    for (const { value, colour } of inks) if (colour) colours[value] = colour;
    place.setAttribute("aria-label", `${what}, ${size} by ${size} cells`);
    return new Painter(place, size, colours, {
      begin: this.on.begin,
      change: () => this.#changed(),
      look: (cell, byKey) => this.#look(cell, byKey),
      state: () => this.show(),
      pick: (value) => this.choose(value),
    }, { tools, ground, label: ink, diameter });
  }

  get painter() { return this.painters[this.layer]; }
  get own() { return this.layers[this.layer]; }
  get map() { return this.painters.map.values; }
  get sketch() { return this.painters.sketch.values; }

  #changed() {
    this.show();
    this.on.change();
  }

  /** Replace drawings, {map, sketch} or one of them, as one change. */
  replace(values) {
    const others = Object.entries(values).filter(([name, each]) => this.painters[name].replace(each));
    if (others.length) this.#changed();
  }

  undo() { this.painter.undo(); }
  redo() { this.painter.redo(); }

  /* Layers */

  #makeSwitch() {
    const several = this.told.length > 1;
    $("layers").hidden = !several;
    $("map-title").classList.toggle("hidden", several);
    $("map-title").textContent = this.told.map((name) => this.layers[name].words).join(" and ");
    for (const input of document.querySelectorAll("#layers input")) {
      input.addEventListener("change", () => { this.turn(input.value); this.on.keep(); });
    }
  }

  /** Show a layer, at the place and size at which the other one was shown. */
  turn(name) {
    const { scale, corner } = this.painter;
    this.painter.settle();
    this.layer = name;
    for (const [each, { canvas }] of Object.entries(this.layers)) $(canvas).hidden = each !== name;
    for (const input of document.querySelectorAll("#layers input")) input.checked = input.value === name;
    for (const [id, title] of Object.entries(this.own.titles)) $(id).title = title;
    for (const id of ["open-photo", "exchange"]) $(id).hidden = name !== "map";
    $("drop").textContent = this.own.drop;
    $("save-map").textContent = `Save ${this.own.words.toLowerCase()}`;
    $("open-people").disabled = !this.about.people.some((person) => person[name]);
    Object.assign(this.painter, { scale, corner });
    this.#makeTools();
    this.#makeLegend();
    this.painter.show();
    this.show();
  }

  /* Tools and inks */

  #listen() {
    const click = (id, work) => $(id).addEventListener("click", work), { size } = this.about;
    click("undo", () => this.undo());
    click("redo", () => this.redo());
    click("mirror", () => this.replace({ [this.layer]: mirror(this.painter.values, size, this.own.pairs) }));
    click("clear", () => this.replace({ [this.layer]: empty(size) }));
    click("zoom-in", () => this.painter.zoom(this.painter.scale * 1.5));
    click("zoom-out", () => this.painter.zoom(this.painter.scale / 1.5));
    click("zoom-fit", () => this.painter.zoom(1));
    click("move-done", () => this.painter.settle());
    click("lasso-done", () => this.painter.closeLasso());
    click("lasso-cancel", () => this.painter.settle());
    $("brush").addEventListener("input", () => this.#resize(Number($("brush").value)));
    $("move-size").addEventListener("input", () => {
      this.painter.shift(this.painter.lifted.right, this.painter.lifted.down, Number($("move-size").value));
      this.show();
      this.on.soon();
    });
  }

  #makeTools() {
    $("tool-list").replaceChildren(...this.own.tools.map(({ name, key, sign, words }) => {
      const input = made("input", { type: "radio", name: "tool", value: name, checked: name === this.painter.tool });
      input.setAttribute("aria-label", words);
      input.addEventListener("change", () => this.#tool(name));
      return made("label", { title: `${words} (${key})` }, input, icon(sign));
    }));
  }

  #tool(name) {
    this.painter.choose(name);
    document.querySelector(`#tool-list input[value=${name}]`).checked = true;
    const { ink, chooses } = this.painter.own;
    if (chooses) this.#ink(ink);
    this.show();
  }

  #makeLegend() {
    $("inks").replaceChildren(...this.own.inks.map(({ value, words, colour }) => {
      const input = made("input", { type: "radio", name: "label", value, checked: value === this.painter.label });
      const swatch = made("i");
      if (colour) swatch.style.background = colour; else swatch.className = "nothing";
      input.addEventListener("change", () => this.choose(value));
      return made("label", {}, input, made("span", {}, swatch, words));
    }));
  }

  /** Paint with `value` from now on. */
  choose(value) {
    this.#choose(value);
    this.on.keep();
  }

  #choose(value) {
    const { painter } = this, { name, ink } = painter.own;
    this.#ink(value);
    if (name === "hand" || ink !== undefined) this.#tool(painter.tools.find((tool) => tool.strokes && (tool.ink ?? value) === value).name);
    painter.show();
  }

  #ink(value) {
    this.painter.label = value;
    document.querySelector(`#legend input[value="${value}"]`).checked = true;
  }

  #step(by) {
    const { inks } = this.own, place = inks.findIndex(({ value }) => value === this.painter.label);
    const next = inks[(place + by + inks.length) % inks.length];
    this.choose(next.value);
    this.on.say(next.words);
  }

  #resize(diameter) {
    this.painter.diameter = Math.min(LARGEST_BRUSH, Math.max(1, diameter));
    this.painter.show();
    this.show();
    this.on.keep();
  }

  #look([x, y], byKey) {
    const value = this.painter.values[y * this.about.size + x], text = `${x}, ${y}: ${this.own.inks.find((ink) => ink.value === value).words}`;
    this.painter.canvas.title = text;
    if (byKey) this.on.say(text);
  }

  /** Do what a key says; false where it says nothing here. */
  key(key) {
    const { painter } = this, wanted = painter.tools.find((each) => each.key === key);
    const actions = {
      "[": () => this.#resize(painter.diameter - 1), "]": () => this.#resize(painter.diameter + 1), ",": () => this.#step(-1), ".": () => this.#step(1),
      x: () => $("mirror").click(), "+": () => $("zoom-in").click(), "=": () => $("zoom-in").click(), "-": () => $("zoom-out").click(), 0: () => painter.zoom(1),
      k: () => this.#next(),
    };
    if (wanted) this.#tool(wanted.name);
    else if (actions[key]) actions[key]();
    else return false;
    return true;
  }

  #next() {
    const { told, layer } = this;
    if (told.length < 2 || this.painter.doing) return;
    const inside = document.activeElement === this.painter.canvas;
    this.turn(told[(told.indexOf(layer) + 1) % told.length]);
    if (inside) this.painter.canvas.focus();
    this.on.keep();
    this.on.say(this.own.words);
  }

  show() {
    const { painter } = this;
    if (!painter) return;
    $("undo").disabled = painter.history.before.length === 0;
    $("redo").disabled = painter.history.after.length === 0;
    $("zoom").value = `${Math.round(painter.scale * 10) / 10}×`;
    $("brush").value = painter.diameter;
    $("brush-size").textContent = painter.diameter;
    $("move-bar").hidden = !painter.lifted;
    $("move-size").value = painter.lifted?.percent ?? 100;
    $("move-percent").value = `${$("move-size").value} %`;
    $("lasso-bar").hidden = painter.corners.length === 0;
    $("lasso-count").value = painter.corners.length;
    painter.canvas.dataset.tool = painter.tool;
  }

  /* What is kept */

  get kept() {
    const { map, sketch } = this.painters, lines = { sketch: toRuns(sketch.values), pencil: sketch.diameter };
    return { map: toRuns(map.values), label: map.label, diameter: map.diameter, layer: this.layer, ...(this.told.includes("sketch") ? lines : {}) };
  }

  /** Begin with what was kept. Throws where it is no map, or no sketch. */
  restore(kept) {
    const { map, sketch } = this.painters, { size } = this.about;
    [map.values, sketch.values] = [drawn.map(kept.map, size), drawn.sketch(kept.sketch, size)];
    map.diameter = kept.diameter ?? map.diameter;
    map.label = kept.label ?? map.label;
    sketch.diameter = kept.pencil ?? sketch.diameter;
    this.turn(this.told.includes(kept.layer) ? kept.layer : this.layer);
  }
}
