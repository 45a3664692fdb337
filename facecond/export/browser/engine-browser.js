// The page's engine where there is no server: what the page asks for is made by a worker, in this browser.

/** Threads of onnxruntime-web: several need a page that is isolated from other origins (COOP and COEP), else it has one. */
export const threadsHere = () => (globalThis.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1);

/**
 * Opens the exported run in the folder of this file. `onProgress(share)` hears how much is loaded.
 * Returns an engine: `about` (model.json), `threads`, `sample` and `close`.
 */
export async function openEngine({ base = new URL(".", import.meta.url), threads = threadsHere(), onProgress = () => {} } = {}) {
  const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  const asked = new Map();
  let last = 0;
  const about = await new Promise((resolve, reject) => {
    worker.onerror = (event) => {
      const error = new Error(event.message || "the worker could not be started");
      reject(error);
      for (const { fail } of asked.values()) fail(error);
    };
    worker.onmessage = ({ data }) => {
      if (data.kind === "opened") return resolve(data.about);
      if (data.kind === "progress") return onProgress(data.share);
      if (data.kind === "failed" && data.id === null) return reject(new Error(data.message));
      const request = asked.get(data.id);
      if (!request) return; // cancelled: whoever asked has been told
      if (data.kind === "preview") return request.preview(data.preview);
      if (data.kind === "done") return request.done(data.pictures);
      return request.fail(data.name === "AbortError" ? new DOMException(data.message, "AbortError") : new Error(data.message));
    };
    worker.postMessage({ kind: "open", base: new URL(base).href, threads });
  });

  /**
   * Pictures, [{index, image: ImageData, map: Uint8Array | null, record}]: `count` that are told the same, each of a seed of its own.
   * `map` has 255, and `attributes` 0, where nothing is said; what is left out of sampler, steps, eta and guidance is as the run has it.
   * `onPreview({index, step, steps, image})` hears of a picture in the making. Aborting `signal` ends the work before its next step
   * and rejects with an AbortError.
   */
  function sample({ map = null, attributes = null, sketch = null, ...how } = {}, onPreview = () => {}, signal = null) {
    const id = ++last;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(new DOMException("the request was cancelled", "AbortError"));
      const cancel = () => {
        worker.postMessage({ kind: "cancel", id });
        settle(reject)(new DOMException("the request was cancelled", "AbortError"));
      };
      const settle = (end) => (value) => {
        asked.delete(id);
        signal?.removeEventListener("abort", cancel);
        end(value);
      };
      const imageOf = ({ pixels, width, height }) => new ImageData(pixels, width, height);
      asked.set(id, {
        preview: ({ index, step, steps, ...picture }) => onPreview({ index, step, steps, image: imageOf(picture) }),
        done: settle((pictures) =>
          resolve(
            pictures.map(({ index, told, record, ...picture }) => ({
              index,
              image: imageOf(picture),
              map: told.mask ?? null,
              record,
            })),
          ),
        ),
        fail: settle(reject),
      });
      signal?.addEventListener("abort", cancel);
      worker.postMessage({ kind: "sample", id, request: { ...how, values: { mask: map, attributes, sketch } } });
    });
  }

  return { about, threads, sample, close: () => worker.terminate() };
}
