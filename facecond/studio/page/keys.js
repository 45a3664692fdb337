// Keys: what each does, for people and for the page.

import { open } from "./dialogs.js";
import { $, made } from "./dom.js";

const WORDS = [
  ["b e f p m h", "brush or pencil, eraser, fill, lasso, move a part, move the view"],
  ["k n", "map or sketch; of a sketch: say nothing with the brush"],
  ["[ ]", "smaller or larger brush"],
  [", .", "class or ink before or after; the right button takes the one under the pointer"],
  ["Ctrl+Z Ctrl+Shift+Z", "undo, redo"],
  ["x", "mirror the map or the sketch"],
  ["+ − 0", "zoom in, out, whole"],
  ["← ↑ → ↓", "on the canvas: move the cursor, or the part that is lifted; with Shift draw"],
  ["Space", "on the canvas: use the tool; put down a part"],
  ["Enter", "on the canvas: use the tool, close a lasso; elsewhere: sample"],
  ["Esc", "give up a lasso or a move"],
  ["r l", "another seed; lock or free the seed"],
  ["s", "save the picture with its record"],
  ["g o i", "people, file, photograph"],
  ["v t", "no, open and yes of one attribute; exchange a part"],
  ["/", "search attributes"],
  ["?", "these keys"],
];

const BUTTONS = { r: "dice", l: "lock", s: "save", g: "open-people", o: "open-map", i: "open-photo", v: "vary", t: "exchange" };

/** Have keys do what buttons do, and what `drawing` knows. */
export function listenToKeys(drawing) {
  $("keys").replaceChildren(...WORDS.flatMap(([keys, what]) => [made("dt", {}, ...keys.split(" ").map((key) => made("kbd", { textContent: key }))), made("dd", { textContent: what })]));
  document.addEventListener("keydown", (event) => { if (pressed(event, drawing)) event.preventDefault(); });
}

const press = (button) => { if (!button.hidden) button.click(); };

function pressed(event, drawing) {
  const typing = event.target.matches?.("input:not([type=radio],[type=checkbox],[type=range]), select, textarea");
  if (typing || event.altKey || document.querySelector("dialog[open]")) return false;
  if (event.ctrlKey || event.metaKey) {
    const which = event.key.toLowerCase();
    if (which === "z") event.shiftKey ? drawing.redo() : drawing.undo();
    else if (which === "y") drawing.redo();
    else return false;
  } else if (drawing.key(event.key)) return true;
  else if (BUTTONS[event.key]) press($(BUTTONS[event.key]));
  else if (event.key === "/") $("search").focus();
  else if (event.key === "?") open("help-dialog");
  else if (event.key === "Enter" && !event.target.closest("button, summary, label")) $("settings").requestSubmit();
  else return false;
  return true;
}
