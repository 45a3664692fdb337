// What stands around the canvas: tools, sizes, zoom, and what is painted with. The canvas itself is painter.js.

import { $, icon, made } from "./dom.js";
import { NOTHING, empty, fromRuns, mirror, toRuns } from "./map.js";
import { Painter, TOOLS } from "./painter.js";

const LARGEST_BRUSH = 24;

export class Drawing {
  /**
   * on.begin() when a change begins, on.change() when one is complete, on.soon() while a slider moves, on.keep() when something
   * else has changed that is kept, on.say(text).
   */
  constructor(about, on) {
    Object.assign(this, { about, on });
    this.painter = new Painter($("canvas"), about.size, about.classes.map(({ colour }) => colour), {
      begin: on.begin,
      change: () => { this.show(); on.change(); },
      look: (cell, byKey) => this.#look(cell, byKey),
      state: () => this.show(),
      pick: (value) => this.choose(value),
    });
    $("canvas").setAttribute("aria-label", `Label map, ${about.size} by ${about.size} cells`);
    this.#makeTools();
    this.#makeLegend();
    this.#listen();
    this.show();
  }

  get values() { return this.painter.values; }
  replace(values) { this.painter.replace(values); }
  undo() { this.painter.undo(); }
  redo() { this.painter.redo(); }

  #listen() {
    const click = (id, work) => $(id).addEventListener("click", work), { painter, about } = this;
    click("undo", () => this.undo());
    click("redo", () => this.redo());
    click("mirror", () => this.replace(mirror(painter.values, about.size, about.flip_pairs)));
    click("clear", () => this.replace(empty(about.size)));
    click("zoom-in", () => painter.zoom(painter.scale * 1.5));
    click("zoom-out", () => painter.zoom(painter.scale / 1.5));
    click("zoom-fit", () => painter.zoom(1));
    click("move-done", () => painter.settle());
    click("lasso-done", () => painter.closeLasso());
    click("lasso-cancel", () => painter.settle());
    $("brush").addEventListener("input", () => this.#resize(Number($("brush").value)));
    $("move-size").addEventListener("input", () => {
      painter.shift(painter.lifted.right, painter.lifted.down, Number($("move-size").value));
      this.show();
      this.on.soon();
    });
  }

  #makeTools() {
    $("tool-list").replaceChildren(...TOOLS.map(({ name, key, sign, words }) => {
      const input = made("input", { type: "radio", name: "tool", value: name, checked: name === this.painter.tool });
      input.setAttribute("aria-label", words);
      input.addEventListener("change", () => this.#tool(name));
      return made("label", { title: `${words} (${key})` }, input, icon(sign));
    }));
  }

  #tool(name) {
    this.painter.choose(name);
    document.querySelector(`#tool-list input[value=${name}]`).checked = true;
    this.show();
  }

  #makeLegend() {
    const entry = (value, words, colour) => {
      const input = made("input", { type: "radio", name: "label", value, checked: value === this.painter.label });
      const swatch = made("i");
      if (colour) swatch.style.background = colour; else swatch.className = "nothing";
      input.addEventListener("change", () => this.choose(value));
      return made("label", {}, input, made("span", {}, swatch, words));
    };
    $("legend").append(made("div", { className: "chips" }, ...this.about.classes.map(({ words, colour }, value) => entry(value, words, colour)), entry(NOTHING, "nothing said", null)));
  }

  /** Paint with `value` from now on. */
  choose(value) {
    this.#choose(value);
    this.on.keep();
  }

  #choose(value) {
    this.painter.label = value;
    document.querySelector(`#legend input[value="${value}"]`).checked = true;
    if (this.painter.tool === "eraser" || this.painter.tool === "hand") this.#tool("brush");
    this.painter.show();
  }

  #step(by) {
    const order = [...this.about.classes.keys(), NOTHING], place = order.indexOf(this.painter.label);
    this.choose(order[(place + by + order.length) % order.length]);
    this.on.say(this.#words(this.painter.label));
  }

  #resize(diameter) {
    this.painter.diameter = Math.min(LARGEST_BRUSH, Math.max(1, diameter));
    this.painter.show();
    this.show();
    this.on.keep();
  }

  #words(value) { return value === NOTHING ? "nothing said" : this.about.classes[value].words; }

  #look([x, y], byKey) {
    const text = `${x}, ${y}: ${this.#words(this.painter.values[y * this.about.size + x])}`;
    this.painter.canvas.title = text;
    if (byKey) this.on.say(text);
  }

  /** Do what a key says; false where it says nothing here. */
  key(key) {
    const { painter } = this, wanted = TOOLS.find((each) => each.key === key);
    const actions = {
      "[": () => this.#resize(painter.diameter - 1), "]": () => this.#resize(painter.diameter + 1), ",": () => this.#step(-1), ".": () => this.#step(1),
      x: () => $("mirror").click(), "+": () => $("zoom-in").click(), "=": () => $("zoom-in").click(), "-": () => $("zoom-out").click(), 0: () => painter.zoom(1),
    };
    if (wanted) this.#tool(wanted.name);
    else if (actions[key]) actions[key]();
    else return false;
    return true;
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

  get kept() { return { map: toRuns(this.painter.values), label: this.painter.label, diameter: this.painter.diameter }; }

  /** Begin with what was kept. Throws where it is no map. */
  restore(kept) {
    this.painter.values = fromRuns(kept.map, this.about.size);
    this.painter.diameter = kept.diameter ?? this.painter.diameter;
    if (kept.label !== undefined) this.#choose(kept.label);
    this.show();
  }
}
