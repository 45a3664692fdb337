// What can be drawn: a label map, a sketch. The values of each, the tools, and the words of the page.

import { NOTHING, fromRuns } from "./map.js";
import { TOOLS } from "./painter.js";

export const PAPER = 0, LINE = 1;

const kept = (...names) => TOOLS.filter(({ name }) => names.includes(name));
const [brush, eraser] = kept("brush", "eraser");

/** `chooses`: its ink is what is painted with from then on, also by the tools that have none of their own. */
const SKETCH_TOOLS = [
  { ...brush, name: "pencil", ink: LINE, chooses: true, words: "Pencil: dark lines" },
  { ...eraser, ink: PAPER, chooses: true, words: "Eraser: white paper" },
  { name: "opener", key: "n", strokes: true, ink: NOTHING, chooses: true, sign: "M3 3h2M7 3h2M11 3h2v2M13 7v2M13 11v2h-2M9 13H7M5 13H3v-2M3 9V7M3 5V3", words: "Opener: nothing said" },
  ...kept("fill", "lasso", "hand"),
];

/** Of each layer: its canvas, what is told of the run, inks, tools, and words. */
export function layersOf(about) {
  const nothing = { value: NOTHING, words: "nothing said", colour: null };
  return {
    map: {
      canvas: "canvas", words: "Map", what: "Label map", file: "map.png", tools: TOOLS, ink: 1, diameter: 3, ground: null, pairs: about.flip_pairs,
      inks: [...about.classes.map(({ words, colour }, value) => ({ value, words, colour })), nothing],
      drop: "Drop a picture: a face saved here, a label map, or a photograph",
      titles: {
        "open-people": "A drawn person's map (g)", "open-map": "A label map in a PNG, or a face saved here (o)",
        "save-map": "Save the map as a PNG of class numbers", mirror: "Mirror; left and right parts change places (x)",
      },
    },
    sketch: {
      // Sketches of the data have lines of one pixel. The first line on a sketch that says nothing makes the rest of it paper.
      canvas: "sketch-canvas", words: "Sketch", what: "Sketch", file: "sketch.png", tools: SKETCH_TOOLS, ink: LINE, diameter: 1, ground: PAPER, pairs: [],
      inks: [{ value: LINE, words: "line", colour: "#000000" }, { value: PAPER, words: "paper", colour: "#ffffff" }, nothing],
      drop: "Drop a picture: a face saved here, or dark lines on white",
      titles: {
        "open-people": "A drawn person's sketch (g)", "open-map": "A picture of dark lines on white, or a face saved here (o)",
        "save-map": "Save the sketch as a PNG; where nothing is said it is transparent", mirror: "Mirror (x)",
      },
    },
  };
}

/** The drawing of a layer that runs say, all open where there are none. Throws where they say no such drawing. */
export const drawn = {
  map: (runs, size) => fromRuns(runs ?? [NOTHING, size * size], size),
  sketch: (runs, size) => fromRuns(runs ?? [NOTHING, size * size], size, "sketch", 2),
};
