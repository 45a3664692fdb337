// The page: joins what is drawn, the attributes, the settings and an engine (engine-server.js says what that is). studio.json
// says which engine there is, what it can, and everything about classes, attributes and people.

import { Attributes } from "./attributes.js";
import { commandOf } from "./command.js";
import { makeDialogs } from "./dialogs.js";
import { $, download } from "./dom.js";
import { Drawing } from "./drawing.js";
import { Faces, source } from "./faces.js";
import { listenToKeys } from "./keys.js";
import { drawn } from "./layers.js";
import { NOTHING, brought, saysNothing, toRuns } from "./map.js";
import { isPng, labelPng, labelsOf, sketchPng, textOf, withText } from "./png.js";
import { Settings } from "./settings.js";
import { Store } from "./store.js";

const RECORD = "facecond";

let about, engine, drawing, attributes, settings, faces, store, controller = null, last = "";
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
  store = new Store(`${about.size}`);
  const stop = () => controller?.abort();
  drawing = new Drawing(about, { begin: stop, change: () => changed(), soon: changedSoon, keep: save, say });
  attributes = new Attributes($("attributes"), about, () => changed());
  settings = new Settings(about, { change: changed, soon: changedSoon, keep: save });
  faces = new Faces(about.runs, { state: showState, reopen });
  $("model").textContent = about.runs.map(({ name }) => name).join(" and ") + `, ${about.size} px`;
  $("map-panel").hidden = drawing.told.length === 0;
  $("attribute-panel").hidden = !about.runs.some(({ signs }) => signs);
  $("vary").hidden = $("attribute-panel").hidden;
  $("open-photo").disabled = !about.can.parse;
  if (!about.can.parse) $("open-photo").title = about.can.cannot_parse;
  makeDialogs(about, { drawing, attributes, engine, asked: () => asked(faces.chosen[0]), changed, stop, say });
  listen();
  listenToKeys(drawing);
  restore();
  showState();
  say("");
  document.body.dataset.ready = "true";
  changed();
}

/* What is asked for */

function asked(run) {
  const { map, sketch, signs } = about.runs[run], said = (values) => (saysNothing(values) ? null : values.slice());
  return {
    run, map: map ? said(drawing.map) : null, sketch: sketch ? said(drawing.sketch) : null, signs: signs ? attributes.signs.slice() : new Int8Array(about.attributes.length),
    ...settings.asked(run, saysNothing(drawing.map)),
  };
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
  const key = JSON.stringify(requests.map((each) => ({ ...each, map: each.map && toRuns(each.map), sketch: each.sketch && toRuns(each.sketch), signs: [...each.signs] })));
  if (key === last && !force) return;
  controller?.abort();
  const own = (controller = new AbortController()), started = performance.now(), times = { first: null, total: null };
  last = "";
  busy(true);
  try {
    const results = await Promise.all(requests.map(async (request, run) => {
      const results = await engine.sample(request, (seen) => preview(run, seen, own, started, times), own.signal);
      if (own === controller) faces.show(run, results.map(source));
    }));
    if (own !== controller) return results;
    last = key;
    times.total = performance.now() - started;
    timings.push(times);
    document.body.dataset.made = timings.length;
    $("timing").value = `${(times.total / 1000).toFixed(2)} s`;
    say("Face ready");
    faces.remember();
  } catch (error) {
    if (own === controller && error.name !== "AbortError") say(error.message, true);
  } finally {
    if (own === controller) busy(false);
  }
}

function preview(run, { what, step, of, pictures: shown }, own, started, times) {
  if (own !== controller) return;
  times.first ??= shown ? performance.now() - started : null;
  $("progress").max = of;
  $("progress").value = step;
  $("timing").value = what === "maps" ? `map ${step}/${of}` : `step ${step}/${of}`;
  if (shown) faces.show(run, shown.map((url) => ({ url: typeof url === "string" ? url : source({ imageData: url }).url })), true);
}

function busy(yes) {
  document.body.dataset.state = yes ? "sampling" : "idle";
  if (!yes) $("progress").value = 0;
}

/* Files */

/** Everything as it was when a picture was made. */
function reopen(record) {
  const { asked: before } = record;
  if (record.size !== about.size) throw new Error(`this picture has ${record.size} px, the model here makes ${about.size}`);
  const map = drawn.map(before.map, about.size), sketch = drawn.sketch(before.sketch, about.size);
  const run = about.runs.findIndex(({ name }) => name === record.run);
  attributes.set(before.signs);
  settings.reopen(before);
  faces.chosen = [Math.max(0, run), before.index];
  drawing.replace({ map, sketch });
  changed();
  say(run < 0 ? `Opened; it was made by ${record.run}, so the face here is another` : "Opened from the picture's record");
}

async function openFile(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (isPng(bytes)) {
    const text = textOf(bytes, RECORD);
    if (text) return reopen(JSON.parse(text));
    const labels = drawing.layer === "map" ? await labelsOf(bytes) : null;
    if (labels) {
      const wrong = labels.values.find((value) => value >= about.classes.length && value !== NOTHING);
      if (wrong === undefined) {
        drawing.replace({ map: brought(labels.values, labels.width, labels.height, about.size) });
        return say("Map opened");
      }
      if (!about.can.parse) throw new Error(`${file.name} holds the value ${wrong}, which is no class`);
    }
  }
  return drawing.layer === "map" ? openPhoto(file) : openSketch(file);
}

async function openSketch(file) {
  const found = await engine.sketch(file);
  drawing.replace({ sketch: drawn.sketch(found.sketch, about.size) });
  say("Sketch opened");
}

async function openPhoto(file) {
  if (!about.can.parse) throw new Error(about.can.cannot_parse || "photographs cannot be read here");
  say("Reading the photograph");
  const found = await engine.parse(file);
  drawing.replace({ map: drawn.map(found.map, about.size) });
  if (found.signs) attributes.set(found.signs);
  changed();
  say(["Map read off the photograph", ...found.notes].join("; "));
}

const opening = (work) => work.catch((error) => say(error.message, true));

const command = () => commandOf(faces.current.record, about.attributes);

function savePicture() {
  const picture = faces.current;
  if (!picture) return;
  const { run, asked: before } = picture.record;
  download(withText(picture.png, RECORD, JSON.stringify(picture.record)), `${run}-${before.seed}-${before.index}.png`);
  say("Picture saved; dropped on this page it opens again");
}

async function saveDrawing() {
  const png = { map: () => labelPng(drawing.map, about.size, about.classes.map(({ colour }) => colour)), sketch: () => sketchPng(drawing.sketch, about.size) };
  download(await png[drawing.layer](), drawing.own.file);
}

/* Listening */

function listen() {
  const click = (id, work) => $(id).addEventListener("click", work);
  click("open-map", () => $(`${drawing.layer}-file`).click());
  click("open-photo", () => $("photo-file").click());
  click("save-map", () => opening(saveDrawing()));
  click("save", savePicture);
  click("copy", async () => {
    if (!faces.current) return;
    await navigator.clipboard.writeText(command());
    const files = ["map", "sketch"].filter((name) => faces.current.record.asked[name]).map((name) => `Save ${name} gives its ${name}.png`);
    say(["Command copied", ...files].join("; "));
  });
  click("open-all", () => { attributes.set(null); changed(); });
  click("theme", () => { theme({ "": "dark", dark: "light", light: "" }[document.documentElement.dataset.theme ?? ""]); save(); });
  for (const id of ["map-file", "sketch-file"]) $(id).addEventListener("change", (event) => { opening(openFile(event.target.files[0])); event.target.value = ""; });
  $("photo-file").addEventListener("change", (event) => { opening(openPhoto(event.target.files[0])); event.target.value = ""; });
  $("search").addEventListener("input", () => attributes.filter($("search").value, $("only-said").checked));
  $("only-said").addEventListener("change", () => attributes.filter($("search").value, $("only-said").checked));
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

/* Showing and keeping */

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

function showState() {
  for (const id of ["save", "copy"]) $(id).disabled = !faces?.current;
}

function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
}

function save() {
  store.save({ version: 1, ...drawing.kept, signs: [...attributes.signs], ...settings.kept, theme: document.documentElement.dataset.theme ?? "" });
}

function restore() {
  const kept = store.load();
  if (kept?.version !== 1) {
    if (about.people[0]) { drawing.restore(about.people[0]); attributes.set(about.people[0].signs); }
    return;
  }
  try {
    drawing.restore(kept);
    attributes.set(kept.signs);
    settings.restore(kept);
    theme(kept.theme);
  } catch (error) {
    say(`What was kept cannot be read: ${error.message}`, true);
  }
}

// For scripts in the console, and for tests.
window.studio = {
  get values() { return drawing.map.slice(); },
  get sketch() { return drawing.sketch.slice(); },
  get signs() { return attributes.signs.slice(); },
  get pictures() { return faces.pictures; },
  get painter() { return drawing.painters.map; },
  get drawing() { return drawing; },
  timings, command,
};
