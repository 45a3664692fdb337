// The page's engine where there is no server (engine-server.js says what an engine is): a worker samples, in this browser.

import { attributeWords } from "./model.js";
import { toRuns } from "./map.js";

/** Threads of onnxruntime-web: several need a page that is isolated from other origins (COOP and COEP headers), else it has one. */
const threads = globalThis.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;

/**
 * A worker that runs the module at `address` and keeps to the page's Content-Security-Policy, as those do whose own script is a
 * blob; one that is begun from an address keeps to what the host sends with that file, which is nothing.
 */
function begin(address) {
  const script = new Blob([`import ${JSON.stringify(address)};`], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(script), { type: "module" });
}

export async function open(about) {
  const worker = begin(new URL("worker.js", import.meta.url).href);
  const asked = new Map();
  let last = 0;
  let broken = null;
  let loading = null;
  const breakDown = (error) => {
    broken = error;
    for (const { fail } of [...asked.values()]) fail(error);
  };
  worker.onerror = (event) => breakDown(new Error(event.message || "the worker could not be started"));
  worker.onmessage = ({ data }) => {
    if (data.kind === "loading") {
      loading = { what: "loading", step: data.done, of: data.of, pictures: null };
      for (const { step } of asked.values()) step(loading);
    } else if (data.kind === "failed" && data.id === null) breakDown(new Error(data.message));
    else asked.get(data.id)?.[{ step: "step", done: "done", failed: "failed" }[data.kind]](data.step ?? data.pictures ?? data);
  };
  worker.postMessage({ kind: "open", base: new URL(".", import.meta.url).href, threads });

  function sample({ map = null, signs = null, run, ...how }, onPreview = () => {}, signal = null) {
    if (broken) return Promise.reject(broken);
    const cancelled = () => new DOMException("the request was cancelled", "AbortError");
    if (signal?.aborted) return Promise.reject(cancelled());
    const id = ++last;
    const imageOf = (pixels) => new ImageData(pixels, about.size, about.size);
    return new Promise((resolve, reject) => {
      const settle = (end) => (value) => {
        asked.delete(id);
        signal?.removeEventListener("abort", abort);
        end(value);
      };
      const abort = () => {
        worker.postMessage({ kind: "cancel", id });
        settle(reject)(cancelled());
      };
      const seen = []; // of each picture what was last seen of it
      asked.set(id, {
        step({ what, index = 0, step, of, pixels }) {
          if (pixels) seen[index] = imageOf(pixels);
          onPreview({ what, step, of, pictures: pixels ? seen : null });
        },
        done: settle((pictures) =>
          resolve(
            pictures.map(({ pixels, told, record }) => ({
              imageData: imageOf(pixels),
              map: told.mask ?? null,
              record: recordOf(record, told, { map, signs, ...how }),
            })),
          ),
        ),
        failed: settle(({ name, message }) => reject(name === "AbortError" ? cancelled() : new Error(message))),
        fail: settle(reject),
      });
      signal?.addEventListener("abort", abort);
      if (loading && loading.step < loading.of) onPreview(loading);
      worker.postMessage({ kind: "sample", id, request: { ...how, values: { mask: map, attributes: signs } } });
    });
  }

  /** A picture's record as the studio writes it (facecond/studio/engine.py): what was asked for, and what was told. */
  function recordOf(record, told, { map, signs, ...how }) {
    const names = about.attributes.map(({ name }) => name);
    const words = (values) => attributeWords(values, names);
    const said = Object.entries(told).map(([name, value]) => {
      const shown = name === "attributes" ? words(value) : toRuns(value);
      return [name, { value: shown, ...record.told[name] }];
    });
    return {
      format: "facecond-studio",
      version: 1,
      run: about.runs[0].name,
      size: about.size,
      asked: { ...how, map: map && toRuns(map), signs: signs && [...signs], attributes: signs ? words(signs) : "", index: record.index },
      ...record,
      told: Object.fromEntries(said),
    };
  }

  async function parse() {
    throw new Error(about.can.cannot_parse);
  }

  return { sample, parse, threads, close: () => worker.terminate() };
}
