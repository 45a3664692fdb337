// How is sampled: seed, number of faces, steps, sampler, eta, guidance of each condition, and what open parts of the map become.

import { $, made } from "./dom.js";

const KEPT = ["seed", "count", "steps", "sampler", "eta", "draw"];

export class Settings {
  /** on.change(force) when a setting has changed (`force`: sample even if nothing has), on.soon() while a slider moves, on.keep(). */
  constructor(about, on) {
    Object.assign(this, { about, on, seedLocked: true, guidance: {} });
    $("count").replaceChildren(...Array.from({ length: about.most.count }, (_, place) => made("option", { value: place + 1, textContent: place + 1 })));
    $("sampler").replaceChildren(...about.samplers.map((name) => made("option", { value: name, textContent: name })));
    $("seed").max = about.most.seed;
    $("steps").max = about.most.steps;
    $("draw").disabled = !about.runs.some(({ draw }) => draw);
    $("draw").hidden = $("draw-words").hidden = !about.runs.some(({ map }) => map);
    for (const [id, value] of Object.entries(about.begin)) $(id).value = value;
    for (const run of about.runs) this.guidance = { ...run.guidance, ...this.guidance };
    this.#makeGuidance();
    this.#listen();
    this.show();
  }

  #makeGuidance() {
    $("guidance").replaceChildren(made("span", { className: "of", textContent: "Guidance" }), ...Object.keys(this.guidance).map((name) => {
      const input = made("input", { type: "range", id: `guidance-${name}`, min: 0, max: 8, step: 0.25 });
      const output = made("output", { id: `guidance-value-${name}` });
      input.addEventListener("input", () => { this.guidance[name] = Number(input.value); output.value = input.value; this.on.soon(); });
      const label = made("label", { htmlFor: input.id, textContent: name === "mask" ? "map" : name });
      return made("span", { className: "pair" }, label, input, output);
    }));
  }

  #listen() {
    $("dice").addEventListener("click", () => this.dice());
    $("lock").addEventListener("click", () => { this.lock(!this.seedLocked); this.on.keep(); });
    $("settings").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.seedLocked) this.on.change(true); else this.dice();
    });
    for (const id of ["seed", "steps", "sampler", "count", "draw"]) $(id).addEventListener("change", () => this.on.change());
    $("live").addEventListener("change", () => this.on.change());
    $("eta").addEventListener("input", () => { this.show(); this.on.soon(); });
  }

  /** What a request holds of it; `mapIsOpen`: the map says nothing at all. */
  asked(run, mapIsOpen) {
    const { draw, guidance } = this.about.runs[run], open = $("draw").value, most = this.about.most;
    return {
      seed: number("seed", 0, most.seed), count: Number($("count").value), sampler: $("sampler").value,
      steps: number("steps", 1, most.steps), eta: Number($("eta").value), draw: draw && (open === "yes" || (open === "auto" && mapIsOpen)),
      guidance: Object.fromEntries(Object.keys(guidance).map((name) => [name, this.guidance[name]])),
    };
  }

  /** As it was when a picture was made. */
  reopen(before) {
    for (const id of ["seed", "steps", "sampler", "eta"]) $(id).value = before[id];
    $("count").value = Math.max(before.count, before.index + 1);
    $("draw").value = before.draw ? "yes" : "no";
    Object.assign(this.guidance, before.guidance);
    this.lock(true);
    this.show();
  }

  show() {
    for (const [name, weight] of Object.entries(this.guidance)) {
      $(`guidance-${name}`).value = weight;
      $(`guidance-value-${name}`).value = weight;
    }
    $("eta-value").value = Number($("eta").value).toFixed(2);
  }

  lock(yes) {
    this.seedLocked = yes;
    $("lock").setAttribute("aria-pressed", yes);
    $("lock").textContent = yes ? "Locked" : "Free";
  }

  dice() {
    $("seed").value = crypto.getRandomValues(new Uint32Array(1))[0] % 1000000;
    this.on.change(true);
  }

  get kept() {
    return { ...Object.fromEntries(KEPT.map((id) => [id, $(id).value])), seedLocked: this.seedLocked, guidance: this.guidance, live: $("live").checked };
  }

  restore(kept) {
    for (const id of KEPT) if (kept[id] !== undefined) $(id).value = kept[id];
    for (const name of Object.keys(this.guidance)) this.guidance[name] = Number(kept.guidance?.[name] ?? this.guidance[name]);
    $("live").checked = kept.live !== false;
    this.lock(kept.seedLocked !== false);
    this.show();
  }
}

function number(id, least, most) {
  const value = Math.round(Number($(id).value));
  const kept = Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : least;
  if (String(kept) !== $(id).value) $(id).value = kept;
  return kept;
}
