// The page: joins the canvas, the attributes and an engine (engine-server.js says what that is). studio.json says which engine
// there is, what it can, and everything about classes, attributes and people.

import { Attributes } from "./attributes.js";
import { NOTHING, brought, exchanged, fromRuns, mirror, saysNothing, toRuns } from "./map.js";
import { Painter, TOOLS } from "./painter.js";
import { isPng, labelPng, labelsOf, textOf, withText } from "./png.js";
import { Store } from "./store.js";

const RECORD = "facecond";
const MOST_EARLIER = 24;
const $ = (id) => document.getElementById(id);
const made = (kind, more = {}, ...inside) => {
  const element = Object.assign(document.createElement(kind), more);
  element.append(...inside);
  return element;
};

let about, engine, painter, attributes, store, controller = null, last = "", seedLocked = true, guidance = {}, colours;
let pictures = [];   // of each run: [{source, png, record, url}]
let chosen = [0, 0];  // run, place
const earlier = [];
const timings = [];  // milliseconds from the end of a change to the first preview and to the finished picture

say("loading");
begin().catch((error) => say(error.message, true));

async function begin() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  const answer = await fetch("studio.json", { headers: { "X-Facecond-Token": token } });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  about = await answer.json();
  if (!/^[a-z]+$/.test(about.engine)) throw new Error("studio.json names no engine");
  engine = await (await import(`./engine-${about.engine}.js`)).open(about, token);
  colours = about.classes.map(({ colour }) => colour);
  store = new Store(`${about.size}`);
  painter = new Painter($("canvas"), about.size, colours, {
    begin: () => controller?.abort(),
    change: () => changed(),
    look: (cell, byKey) => look(cell, byKey),
    state: () => showState(),
    pick: (label) => choose(label),
  });
  attributes = new Attributes($("attributes"), about, () => changed());
  $("model").textContent = about.runs.map(({ name }) => name).join(" and ") + `, ${about.size} px`;
  $("canvas").setAttribute("aria-label", `Label map, ${about.size} by ${about.size} cells`);
  $("map-panel").hidden = !about.runs.some(({ map }) => map);
  $("attribute-panel").hidden = !about.runs.some(({ signs }) => signs);
  $("vary").hidden = $("attribute-panel").hidden;
  $("open-photo").disabled = !about.can.parse;
  if (!about.can.parse) $("open-photo").title = about.can.cannot_parse;
  $("open-people").disabled = $("exchange").disabled = about.people.length === 0;
  $("draw").disabled = !about.runs.some(({ draw }) => draw);
  makeTools();
  makeLegend();
  makeSettings();
  makeDialogs();
  listen();
  restore();
  showState();
  say("");
  document.body.dataset.ready = "true";
  changed();
}

/* What is asked for */

function asked(run) {
  const { map, signs, draw } = about.runs[run], values = painter.values, open = $("draw").value;
  const drawn = draw && (open === "yes" || (open === "auto" && saysNothing(values)));
  return {
    run, map: map && !saysNothing(values) ? values.slice() : null,
    signs: signs ? attributes.signs.slice() : new Int8Array(about.attributes.length),
    seed: number("seed", 0, about.most.seed), count: Number($("count").value), sampler: $("sampler").value,
    steps: number("steps", 1, about.most.steps), eta: Number($("eta").value), draw: drawn,
    guidance: Object.fromEntries(Object.keys(about.runs[run].guidance).map((name) => [name, guidance[name]])),
  };
}

function number(id, least, most) {
  const value = Math.round(Number($(id).value));
  const kept = Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : least;
  if (String(kept) !== $(id).value) $(id).value = kept;
  return kept;
}

function changed(force = false) {
  save();
  showState();
  if ($("live").checked || force) sample(force);
  else controller?.abort();
}

let later = 0;
function changedSoon() {  // while a slider moves
  clearTimeout(later);
  controller?.abort();
  later = setTimeout(() => changed(), 120);
}

async function sample(force = false) {
  const requests = about.runs.map((_, run) => asked(run));
  const key = JSON.stringify(requests.map((each) => ({ ...each, map: each.map && toRuns(each.map), signs: [...each.signs] })));
  if (key === last && !force) return;
  controller?.abort();
  const own = (controller = new AbortController()), started = performance.now(), times = { first: null, total: null };
  last = "";
  busy(true);
  try {
    const results = await Promise.all(requests.map(async (request, run) => {
      const results = await engine.sample(request, (seen) => preview(run, seen, own, started, times), own.signal);
      if (own === controller) showFaces(run, results.map(source));
    }));
    if (own !== controller) return results;
    last = key;
    times.total = performance.now() - started;
    timings.push(times);
    document.body.dataset.made = timings.length;
    $("timing").value = `${(times.total / 1000).toFixed(2)} s`;
    say("Face ready");
    remember();
  } catch (error) {
    if (own === controller && error.name !== "AbortError") say(error.message, true);
  } finally {
    if (own === controller) busy(false);
  }
}

function source({ png, imageData, record }) {
  if (png) return { png, record, url: URL.createObjectURL(new Blob([png], { type: "image/png" })) };
  const canvas = made("canvas", { width: imageData.width, height: imageData.height });
  canvas.getContext("2d").putImageData(imageData, 0, 0);
  const url = canvas.toDataURL("image/png");
  return { png: Uint8Array.from(atob(url.split(",")[1]), (letter) => letter.charCodeAt(0)), record, url };
}

function preview(run, { what, step, of, pictures: shown }, own, started, times) {
  if (own !== controller) return;
  times.first ??= shown ? performance.now() - started : null;
  $("progress").max = of;
  $("progress").value = step;
  $("timing").value = what === "maps" ? `map ${step}/${of}` : `step ${step}/${of}`;
  if (shown) showFaces(run, shown.map((url) => ({ url: typeof url === "string" ? url : source({ imageData: url }).url })), true);
}

function busy(yes) {
  document.body.dataset.state = yes ? "sampling" : "idle";
  if (!yes) $("progress").value = 0;
}

/* Faces */

function makeFaces() {
  $("faces").replaceChildren(...about.runs.map(({ name }, run) => made("figure", { id: `run-${run}` },
    ...(about.runs.length > 1 ? [made("figcaption", { textContent: name })] : []), made("div", { className: "grid" }))));
}

function showFaces(run, results, passing = false) {
  const grid = $(`run-${run}`).querySelector(".grid");
  if (!passing) {
    for (const old of pictures[run] ?? []) if (!earlier.some(({ url }) => url === old.url)) setTimeout(() => URL.revokeObjectURL(old.url), 5000);
    pictures[run] = results;
    if (chosen[0] === run && chosen[1] >= results.length) chosen = [run, 0];
  }
  grid.dataset.count = results.length;
  while (grid.children.length > results.length) grid.lastChild.remove();
  results.forEach(({ url }, place) => {
    let button = grid.children[place];
    if (!button) {
      button = made("button", { type: "button", className: "face" }, made("img", { alt: "" }));
      button.addEventListener("click", () => { chosen = [run, place]; showChosen(); });
      grid.append(button);
    }
    button.dataset.passing = passing;
    button.firstChild.src = url;
    button.setAttribute("aria-label", `Face ${place + 1}${about.runs.length > 1 ? ` of ${about.runs[run].name}` : ""}`);
  });
  showChosen();
}

function showChosen() {
  about.runs.forEach((_, run) => [...$(`run-${run}`).querySelectorAll(".face")].forEach((button, place) => {
    const is = chosen[0] === run && chosen[1] === place;
    button.setAttribute("aria-pressed", is);
  }));
  showState();
}

const current = () => pictures[chosen[0]]?.[chosen[1]];

function remember() {
  const picture = current();
  if (!picture) return;
  earlier.unshift(picture);
  for (const old of earlier.splice(MOST_EARLIER)) if (!pictures.flat().includes(old)) URL.revokeObjectURL(old.url);
  $("earlier").replaceChildren(...earlier.map((each) => {
    const words = each.record?.description?.attributes || "nothing said of attributes";
    const button = made("button", { type: "button", title: `seed ${each.record.asked.seed}: ${words}` }, made("img", { src: each.url, alt: `seed ${each.record.asked.seed}, ${words}` }));
    button.addEventListener("click", () => reopen(each.record));
    return made("div", { role: "listitem" }, button);
  }));
}

/** Everything as it was when a picture was made. */
function reopen(record) {
  const { asked: before } = record;
  if (record.size !== about.size) throw new Error(`this picture has ${record.size} px, the model here makes ${about.size}`);
  const map = before.map ? fromRuns(before.map, about.size) : new Uint8Array(about.size ** 2).fill(NOTHING);
  attributes.set(before.signs);
  $("seed").value = before.seed;
  $("count").value = Math.max(before.count, before.index + 1);
  $("steps").value = before.steps;
  $("sampler").value = before.sampler;
  $("eta").value = before.eta;
  $("draw").value = before.draw ? "yes" : "no";
  Object.assign(guidance, before.guidance);
  showGuidance();
  lock(true);
  chosen = [Math.max(0, about.runs.findIndex(({ name }) => name === record.run)), before.index];
  painter.replace(map);
  changed();
  const other = !about.runs.some(({ name }) => name === record.run);
  say(other ? `Opened; it was made by ${record.run}, so the face here is another` : "Opened from the picture's record");
}

async function openFile(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (isPng(bytes)) {
    const text = textOf(bytes, RECORD);
    if (text) return reopen(JSON.parse(text));
    const labels = await labelsOf(bytes);
    if (labels) {
      const wrong = labels.values.find((value) => value >= about.classes.length && value !== NOTHING);
      if (wrong === undefined) {
        painter.replace(brought(labels.values, labels.width, labels.height, about.size));
        return say("Map opened");
      }
      if (!about.can.parse) throw new Error(`${file.name} holds the value ${wrong}, which is no class`);
    }
  }
  return openPhoto(file);
}

async function openPhoto(file) {
  if (!about.can.parse) throw new Error(about.can.cannot_parse || "photographs cannot be read here");
  say("Reading the photograph");
  const found = await engine.parse(file);
  painter.replace(fromRuns(found.map, about.size));
  if (found.signs) attributes.set(found.signs);
  changed();
  say(["Map read off the photograph", ...found.notes].join("; "));
}

const opening = (work) => work.catch((error) => say(error.message, true));

async function command({ record }) {
  const { asked: before } = record, signs = record.description.attributes ?? "";
  const words = ["facecond sample", `run=${record.run}`, ...(before.map ? ["--mask map.png"] : [])];
  const said = [...attributes.signs.keys()].map((place) => [before.signs[place], about.attributes[place].name]).filter(([sign]) => sign);
  if (said.length && signs !== undefined) words.push(`--attr=${said.map(([sign, name]) => (sign > 0 ? "+" : "-") + name).join(",")}`);
  words.push(`sampler=${before.sampler}`, `sampler.steps=${before.steps}`, `sampler.eta=${before.eta}`, `seed=${before.seed}`, `count=${before.count}`);
  for (const [name, weight] of Object.entries(before.guidance)) words.push(`guidance.${name}=${weight}`);
  if (!before.draw) words.push("maps=none");
  return words.join(" ");
}

function download(bytes, name) {
  const url = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  made("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function savePicture() {
  const picture = current();
  if (!picture) return;
  const { run, asked: before } = picture.record;
  download(withText(picture.png, RECORD, JSON.stringify(picture.record)), `${run}-${before.seed}-${before.index}.png`);
  say("Picture saved; dropped on this page it opens again");
}

async function saveMap() {
  download(await labelPng(painter.values, about.size, colours), "map.png");
}

/* Tools, legend, settings */

function makeTools() {
  $("tool-list").replaceChildren(...TOOLS.map(({ name, key, sign, words }) => {
    const input = made("input", { type: "radio", name: "tool", value: name, checked: name === painter.tool });
    input.setAttribute("aria-label", words);
    input.addEventListener("change", () => tool(name));
    return made("label", { title: `${words} (${key})` }, input, icon(sign));
  }));
}

function icon(path) {
  const [svg, line] = ["svg", "path"].map((kind) => document.createElementNS("http://www.w3.org/2000/svg", kind));
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

function tool(name) {
  painter.choose(name);
  document.querySelector(`#tool-list input[value=${name}]`).checked = true;
  showState();
}

function makeLegend() {
  const entry = (value, words, colour) => {
    const input = made("input", { type: "radio", name: "label", value, checked: value === painter.label });
    const swatch = made("i");
    if (colour) swatch.style.background = colour; else swatch.className = "nothing";
    input.addEventListener("change", () => choose(value));
    return made("label", {}, input, made("span", {}, swatch, words));
  };
  $("legend").append(made("div", { className: "chips" }, ...about.classes.map(({ words, colour }, value) => entry(value, words, colour)), entry(NOTHING, "nothing said", null)));
}

function choose(value) {
  painter.label = value;
  document.querySelector(`#legend input[value="${value}"]`).checked = true;
  if (painter.tool === "eraser" || painter.tool === "hand") tool("brush");
  painter.show();
  save();
}

function step(by) {
  const order = [...about.classes.keys(), NOTHING], place = order.indexOf(painter.label);
  choose(order[(place + by + order.length) % order.length]);
  say(words(painter.label));
}

const words = (value) => (value === NOTHING ? "nothing said" : about.classes[value].words);

function makeSettings() {
  $("count").replaceChildren(...Array.from({ length: about.most.count }, (_, place) => made("option", { value: place + 1, textContent: place + 1 })));
  $("sampler").replaceChildren(...about.samplers.map((name) => made("option", { value: name, textContent: name })));
  $("seed").max = about.most.seed;
  $("steps").max = about.most.steps;
  for (const [id, value] of Object.entries(about.begin)) $(id).value = value;
  for (const run of about.runs) guidance = { ...run.guidance, ...guidance };
  $("guidance").replaceChildren(made("span", { className: "of", textContent: "Guidance" }), ...Object.keys(guidance).flatMap((name) => {
    const input = made("input", { type: "range", id: `guidance-${name}`, min: 0, max: 8, step: 0.25 });
    const output = made("output", { id: `guidance-value-${name}` });
    input.addEventListener("input", () => { guidance[name] = Number(input.value); output.value = input.value; changedSoon(); });
    const label = made("label", { htmlFor: input.id, textContent: name === "mask" ? "map" : name });
    return [made("span", { className: "pair" }, label, input, output)];
  }));
  showGuidance();
}

function showGuidance() {
  for (const [name, weight] of Object.entries(guidance)) {
    $(`guidance-${name}`).value = weight;
    $(`guidance-value-${name}`).value = weight;
  }
}

function lock(yes) {
  seedLocked = yes;
  $("lock").setAttribute("aria-pressed", yes);
  $("lock").textContent = yes ? "Locked" : "Free";
}

function dice() {
  $("seed").value = crypto.getRandomValues(new Uint32Array(1))[0] % 1000000;
  changed(true);
}

/* Dialogs */

function person(each, on) {
  const button = made("button", { type: "button" }, made("img", { src: each.picture, alt: "" }), made("span", { textContent: each.name }));
  button.addEventListener("click", on);
  return button;
}

function makeDialogs() {
  $("people").replaceChildren(...about.people.map((each) => person(each, () => {
    if ($("with-attributes").checked) attributes.set(each.signs);
    painter.replace(fromRuns(each.map, about.size));
    $("people-dialog").close();
    changed();
    say(`Map of ${each.name}`);
  })));
  $("part").replaceChildren(...about.parts.map((part, place) => made("option", { value: place, textContent: part.words })));
  $("others").replaceChildren(...about.people.map((each) => person(each, () => {
    const part = about.parts[$("part").value];
    painter.replace(exchanged(painter.values, fromRuns(each.map, about.size), part.classes));
    $("exchange-dialog").close();
    say(`${part.words} as ${each.name} has it`);
  })));
  $("vary-attribute").replaceChildren(...about.attributes.map((each, place) => made("option", { value: place, textContent: each.words })));
  $("vary-attribute").value = about.attributes.findIndex(({ name }) => name === "Smiling");
  $("vary-attribute").addEventListener("change", vary);
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }
  $("vary-dialog").addEventListener("close", () => varying?.abort());
  $("keys").replaceChildren(...KEYS.flatMap(([keys, what]) => [made("dt", {}, ...keys.split(" ").map((key) => made("kbd", { textContent: key }))), made("dd", { textContent: what })]));
}

let varying = null;

/** The face with one attribute no, open and yes, from the same noise. */
async function vary() {
  varying?.abort();
  controller?.abort();
  const own = (varying = new AbortController()), place = Number($("vary-attribute").value);
  const figures = [-1, 0, 1].map((sign) => {
    const button = made("button", { type: "button", className: "face" }, made("img", { alt: "" }));
    button.addEventListener("click", () => {
      const signs = attributes.signs.slice();
      signs[place] = sign;
      attributes.set(signs);
      $("vary-dialog").close();
      changed();
    });
    return made("figure", {}, button, made("figcaption", { textContent: { "-1": "no", 0: "open", 1: "yes" }[sign] }));
  });
  $("three").replaceChildren(...figures);
  try {
    for (const [number, sign] of [-1, 0, 1].entries()) {
      const request = { ...asked(chosen[0]), count: 1 };
      request.signs[place] = sign;
      const image = figures[number].querySelector("img");
      const [picture] = await engine.sample(request, ({ pictures: shown }) => { if (shown) image.src = shown[0]; }, own.signal);
      image.src = source(picture).url;
      figures[number].dataset.ready = "true";
      image.alt = `${about.attributes[place].words}: ${["no", "open", "yes"][number]}`;
    }
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
  }
}

const KEYS = [
  ["b e f p m h", "brush, eraser, fill, lasso, move a part, move the view"],
  ["[ ]", "smaller or larger brush"],
  [", .", "class before or after; the right button takes the class under the pointer"],
  ["Ctrl+Z Ctrl+Shift+Z", "undo, redo"],
  ["x", "mirror the map"],
  ["+ − 0", "zoom in, out, whole map"],
  ["← ↑ → ↓", "on the map: move the cursor, or the part that is lifted; with Shift draw"],
  ["Space", "on the map: use the tool; put down a part"],
  ["Enter", "on the map: use the tool, close a lasso; elsewhere: sample"],
  ["Esc", "give up a lasso or a move"],
  ["r l", "another seed; lock or free the seed"],
  ["s", "save the picture with its record"],
  ["g o i", "people, map file, photograph"],
  ["v t", "no, open and yes of one attribute; exchange a part"],
  ["/", "search attributes"],
  ["?", "these keys"],
];

/* Listening */

function open(dialog) {
  if (!document.querySelector("dialog[open]")) dialog.showModal();
}

function listen() {
  const click = (id, work) => $(id).addEventListener("click", work);
  click("undo", () => painter.undo());
  click("redo", () => painter.redo());
  click("mirror", () => painter.replace(mirror(painter.values, about.size, about.flip_pairs)));
  click("clear", () => painter.replace(new Uint8Array(about.size ** 2).fill(NOTHING)));
  click("zoom-in", () => painter.zoom(painter.scale * 1.5));
  click("zoom-out", () => painter.zoom(painter.scale / 1.5));
  click("zoom-fit", () => painter.zoom(1));
  click("move-done", () => painter.settle());
  click("lasso-done", () => painter.closeLasso());
  click("lasso-cancel", () => painter.settle());
  click("help", () => open($("help-dialog")));
  click("open-people", () => open($("people-dialog")));
  click("exchange", () => open($("exchange-dialog")));
  click("vary", () => { open($("vary-dialog")); vary(); });
  click("open-map", () => $("map-file").click());
  click("open-photo", () => $("photo-file").click());
  click("save-map", () => opening(saveMap()));
  click("save", savePicture);
  click("copy", async () => {
    if (!current()) return;
    await navigator.clipboard.writeText(await command(current()));
    say("Command copied; Save map gives its map.png");
  });
  click("open-all", () => { attributes.set(null); changed(); });
  click("dice", dice);
  click("lock", () => { lock(!seedLocked); save(); });
  click("theme", () => { theme({ "": "dark", dark: "light", light: "" }[document.documentElement.dataset.theme ?? ""]); save(); });
  $("map-file").addEventListener("change", (event) => { opening(openFile(event.target.files[0])); event.target.value = ""; });
  $("photo-file").addEventListener("change", (event) => { opening(openPhoto(event.target.files[0])); event.target.value = ""; });
  $("brush").addEventListener("input", () => { painter.diameter = Number($("brush").value); showState(); save(); });
  $("move-size").addEventListener("input", () => {
    painter.shift(painter.lifted.right, painter.lifted.down, Number($("move-size").value));
    showState();
    changedSoon();
  });
  $("search").addEventListener("input", () => attributes.filter($("search").value, $("only-said").checked));
  $("only-said").addEventListener("change", () => attributes.filter($("search").value, $("only-said").checked));
  $("settings").addEventListener("submit", (event) => {
    event.preventDefault();
    if (seedLocked) changed(true); else dice();
  });
  for (const id of ["seed", "steps", "sampler", "count", "draw"]) $(id).addEventListener("change", () => changed());
  $("live").addEventListener("change", () => changed());
  $("eta").addEventListener("input", () => { showState(); changedSoon(); });
  document.addEventListener("keydown", key);
  for (const kind of ["dragenter", "dragover"]) document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").hidden = false;
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").hidden = true; });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").hidden = true;
    if (event.dataTransfer.files[0]) opening(openFile(event.dataTransfer.files[0]));
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files[0]) opening(openFile(event.clipboardData.files[0]));
  });
}

function key(event) {
  const typing = event.target.matches?.("input:not([type=radio],[type=checkbox],[type=range]), select, textarea");
  if (document.querySelector("dialog[open]") || event.altKey) return;
  if (event.ctrlKey || event.metaKey) {
    if (typing) return;
    const which = event.key.toLowerCase();
    if (which === "z") event.shiftKey ? painter.redo() : painter.undo();
    else if (which === "y") painter.redo();
    else return;
    return event.preventDefault();
  }
  if (typing) return;
  const wanted = TOOLS.find((each) => each.key === event.key);
  const actions = {
    "[": () => size(-1), "]": () => size(1), ",": () => step(-1), ".": () => step(1), x: () => $("mirror").click(),
    "+": () => $("zoom-in").click(), "=": () => $("zoom-in").click(), "-": () => $("zoom-out").click(), 0: () => painter.zoom(1),
    r: dice, l: () => $("lock").click(), s: savePicture, g: () => open($("people-dialog")), o: () => $("map-file").click(),
    i: () => about.can.parse && $("photo-file").click(), v: () => $("vary").click(), t: () => open($("exchange-dialog")),
    "/": () => $("search").focus(), "?": () => open($("help-dialog")),
  };
  if (wanted) tool(wanted.name);
  else if (actions[event.key]) actions[event.key]();
  else if (event.key === "Enter" && !event.target.closest("button, summary, label")) $("settings").requestSubmit();
  else return;
  event.preventDefault();
}

function size(by) {
  painter.diameter = Math.min(24, Math.max(1, painter.diameter + by));
  painter.show();
  showState();
  save();
}

function look([x, y], byKey) {
  const value = painter.values[y * about.size + x], text = `${x}, ${y}: ${words(value)}`;
  $("canvas").title = text;
  if (byKey) say(text);
}

/* Showing and keeping */

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

function showState() {
  if (!attributes) return;
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
  $("eta-value").value = Number($("eta").value).toFixed(2);
  $("canvas").dataset.tool = painter.tool;
  for (const id of ["save", "copy"]) $(id).disabled = !current();
}

function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
}

function save() {
  store.save({
    version: 1, map: toRuns(painter.values), signs: [...attributes.signs], seed: $("seed").value, seedLocked, count: $("count").value,
    steps: $("steps").value, sampler: $("sampler").value, eta: $("eta").value, guidance, draw: $("draw").value, live: $("live").checked,
    label: painter.label, diameter: painter.diameter, theme: document.documentElement.dataset.theme ?? "",
  });
}

function restore() {
  makeFaces();
  const kept = store.load();
  if (kept?.version !== 1) {
    if (about.people[0]) { painter.values = fromRuns(about.people[0].map, about.size); attributes.set(about.people[0].signs); }
    return;
  }
  try {
    painter.values = fromRuns(kept.map, about.size);
    attributes.set(kept.signs);
    for (const id of ["seed", "count", "steps", "sampler", "eta", "draw"]) if (kept[id] !== undefined) $(id).value = kept[id];
    for (const name of Object.keys(guidance)) guidance[name] = Number(kept.guidance?.[name] ?? guidance[name]);
    $("live").checked = kept.live !== false;
    painter.diameter = kept.diameter ?? painter.diameter;
    lock(kept.seedLocked !== false);
    showGuidance();
    theme(kept.theme);
    choose(kept.label ?? 1);
  } catch (error) {
    say(`What was kept cannot be read: ${error.message}`, true);
  }
}

// For scripts in the console, and for tests.
window.studio = {
  get values() { return painter.values.slice(); },
  get signs() { return attributes.signs.slice(); },
  get pictures() { return pictures; },
  get painter() { return painter; },
  timings, command: () => command(current()),
};
