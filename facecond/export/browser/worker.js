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
  if (data.kind === "open") open(data);
  else if (data.kind === "cancel") cancelled.add(data.id);
  else before = before.then(() => sample(data));
};

async function open({ base, threads }) {
  try {
    ort.env.wasm.numThreads = threads;
    const place = (file) => new URL(`runtime/${file}`, base).href;
    ort.env.wasm.wasmPaths = { mjs: place("ort-wasm-simd-threaded.mjs"), wasm: place("ort-wasm-simd-threaded.wasm") };
    model = await loadModel(base, ort, (share) => self.postMessage({ kind: "progress", share }));
    self.postMessage({ kind: "opened", about: model.about });
  } catch (error) {
    self.postMessage({ kind: "failed", id: null, name: error.name, message: String(error.message ?? error) });
  }
}

async function sample({ id, request }) {
  const pause = async () => {
    await breath();
    if (cancelled.has(id)) throw new DOMException("the request was cancelled", "AbortError");
  };
  try {
    await pause();
    const pictures = await model.sample(request, (preview) => self.postMessage({ kind: "preview", id, preview }), pause);
    self.postMessage({ kind: "done", id, pictures });
  } catch (error) {
    self.postMessage({ kind: "failed", id, name: error.name, message: String(error.message ?? error) });
  } finally {
    cancelled.delete(id);
  }
}
