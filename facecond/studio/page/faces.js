// Faces that were made: those of the last sampling, the one that is chosen, and earlier ones.

import { $, made } from "./dom.js";

const MOST_EARLIER = 24;

/** What an engine made, with an address to show it at. */
export function source({ png, imageData, record }) {
  if (png) return { png, record, url: URL.createObjectURL(new Blob([png], { type: "image/png" })) };
  const canvas = made("canvas", { width: imageData.width, height: imageData.height });
  canvas.getContext("2d").putImageData(imageData, 0, 0);
  const url = canvas.toDataURL("image/png");
  return { png: Uint8Array.from(atob(url.split(",")[1]), (letter) => letter.charCodeAt(0)), record, url };
}

export class Faces {
  /** on.state() when another face is chosen or shown, on.reopen(record) when an earlier one is. */
  constructor(runs, on) {
    Object.assign(this, { runs, on });
    this.pictures = [];  // of each run: [{png, record, url}]
    this.chosen = [0, 0];  // run, place
    this.earlier = [];
    $("faces").replaceChildren(...runs.map(({ name }, run) => made("figure", { id: `run-${run}` },
      ...(runs.length > 1 ? [made("figcaption", { textContent: name })] : []), made("div", { className: "grid" }))));
  }

  get current() { return this.pictures[this.chosen[0]]?.[this.chosen[1]]; }

  show(run, results, passing = false) {
    const grid = $(`run-${run}`).querySelector(".grid");
    if (!passing) this.#keep(run, results);
    grid.dataset.count = results.length;
    while (grid.children.length > results.length) grid.lastChild.remove();
    results.forEach(({ url }, place) => {
      let button = grid.children[place];
      if (!button) {
        button = made("button", { type: "button", className: "face" }, made("img", { alt: "" }));
        button.addEventListener("click", () => { this.chosen = [run, place]; this.#showChosen(); });
        grid.append(button);
      }
      button.dataset.passing = passing;
      button.firstChild.src = url;
      button.setAttribute("aria-label", `Face ${place + 1}${this.runs.length > 1 ? ` of ${this.runs[run].name}` : ""}`);
    });
    this.#showChosen();
  }

  #keep(run, results) {
    for (const old of this.pictures[run] ?? []) {
      if (!this.earlier.some(({ url }) => url === old.url)) setTimeout(() => URL.revokeObjectURL(old.url), 5000);
    }
    this.pictures[run] = results;
    if (this.chosen[0] === run && this.chosen[1] >= results.length) this.chosen = [run, 0];
  }

  #showChosen() {
    this.runs.forEach((_, run) => [...$(`run-${run}`).querySelectorAll(".face")].forEach((button, place) => {
      button.setAttribute("aria-pressed", this.chosen[0] === run && this.chosen[1] === place);
    }));
    this.on.state();
  }

  /** Put the chosen face among the earlier ones. */
  remember() {
    const { current, earlier, pictures } = this;
    if (!current) return;
    earlier.unshift(current);
    for (const old of earlier.splice(MOST_EARLIER)) if (!pictures.flat().includes(old)) URL.revokeObjectURL(old.url);
    $("earlier").replaceChildren(...earlier.map((each) => {
      const words = each.record?.description?.attributes || "nothing said of attributes";
      const button = made("button", { type: "button", title: `seed ${each.record.asked.seed}: ${words}` }, made("img", { src: each.url, alt: `seed ${each.record.asked.seed}, ${words}` }));
      button.addEventListener("click", () => this.on.reopen(each.record));
      return made("div", { role: "listitem" }, button);
    }));
  }
}
