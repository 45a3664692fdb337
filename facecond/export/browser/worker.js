// Runs an exported run beside the page, so that the page stays responsive. Requests are answered one after another; one that is
// cancelled ends before its next step.

import * as ort from "./runtime/ort.wasm.min.mjs";
import { loadModel } from "./model.js";

const cancelled = new Set();
let model;
let before = Promise.resolve();

/** Lets messages that wait be read; timers would wait four milliseconds. */
const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => waiting.shift()();
const breath = () =>
  new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(null);
  });

self.onmessage = ({ data }) => {
  if (data.kind === "open") {
    model = open(data);
    model.catch((error) => self.postMessage({ kind: "failed", id: null, name: error.name, message: String(error.message ?? error) }));
  }
  else if (data.kind === "cancel") cancelled.add(data.id);
  else before = before.then(() => sample(data));
};

async function open({ base, threads }) {
  ort.env.wasm.numThreads = threads;
  const place = (file) => new URL(`runtime/${file}`, base).href;
  ort.env.wasm.wasmPaths = { mjs: place("ort-wasm-simd-threaded.mjs"), wasm: place("ort-wasm-simd-threaded.wasm") };
  return await loadModel(base, ort, (done, of) => self.postMessage({ kind: "loading", done, of }));
}

async function sample({ id, request }) {
  const pause = async () => {
    await breath();
    if (cancelled.has(id)) throw new DOMException("the request was cancelled", "AbortError");
  };
  try {
    const made = await model;
    await pause();
    const pictures = await made.sample(request, (step) => self.postMessage({ kind: "step", id, step }), pause);
    self.postMessage({ kind: "done", id, pictures });
  } catch (error) {
    self.postMessage({ kind: "failed", id, name: error.name, message: String(error.message ?? error) });
  } finally {
    cancelled.delete(id);
  }
}
