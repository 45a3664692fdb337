// The least page that paints a label map and samples: what an export holds where the studio's page is not installed.

import { openEngine } from "./engine-browser.js";

const UNSAID = 255;
const at = (id) => document.getElementById(id);
const say = (text) => (at("state").textContent = text);
const engine = await openEngine({ onProgress: (share) => say(`loading: ${Math.round(100 * share)} %`) });
const studio = await (await fetch("studio.json")).json();
const { resolution } = studio;
const map = new Uint8Array(resolution ** 2).fill(UNSAID);
let asked = null;

for (const id of ["map", "face"]) at(id).width = at(id).height = resolution;
studio.classes.forEach(({ name }, value) => at("part").add(new Option(name, value)));

function show() {
  const image = new ImageData(resolution, resolution);
  map.forEach((label, i) => image.data.set(label === UNSAID ? [255, 255, 255, 255] : [...studio.classes[label].colour, 255], 4 * i));
  at("map").getContext("2d").putImageData(image, 0, 0);
}

function paint({ buttons, offsetX, offsetY, target }) {
  if (!buttons) return;
  const [x, y] = [offsetX, offsetY].map((place) => Math.floor((place * resolution) / target.clientWidth));
  for (let dy = -2; dy <= 2; dy++) {
    for (let dx = -2; dx <= 2; dx++) {
      if (Math.min(x + dx, y + dy) >= 0 && Math.max(x + dx, y + dy) < resolution) map[(y + dy) * resolution + x + dx] = Number(at("part").value);
    }
  }
  show();
}

function told() {
  const values = new Int8Array(studio.attributes.length);
  for (const word of at("attributes").value.split(",").filter(Boolean)) {
    const place = studio.attributes.indexOf(word.trim().replace(/^[+-]/, ""));
    if (place < 0) throw new Error(`${word}: no such attribute`);
    values[place] = word.trim().startsWith("-") ? -1 : 1;
  }
  return values;
}

async function sample() {
  asked?.abort();
  asked = new AbortController();
  const began = performance.now();
  const put = ({ image }) => at("face").getContext("2d").putImageData(image, 0, 0);
  try {
    const painted = map.some((label) => label !== UNSAID) ? map : null;
    const request = { map: painted, attributes: told(), seed: at("seed").value || "0" };
    const [made] = await engine.sample(request, put, asked.signal);
    put(made);
    say(`seed ${made.record.seed}: ${((performance.now() - began) / 1000).toFixed(2)} s`);
  } catch (error) {
    if (error.name !== "AbortError") say(error.message);
  }
}

for (const kind of ["pointerdown", "pointermove"]) at("map").addEventListener(kind, paint);
at("map").addEventListener("pointerup", sample);
at("sample").addEventListener("click", sample);
at("clear").addEventListener("click", () => {
  map.fill(UNSAID);
  show();
});
show();
globalThis.engine = engine; // for tests
say("ready");
